import { BrokerError, EXIT } from "../../base/errors.ts";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export interface InterruptionListener {
  /** The turn is told to end, and its end is awaited. */
  onFirst(): void;
  /** The last thing before this process ends. The broker interrupts the turn when the connection goes. */
  onSecond(): void;
}

/** The wish to end the run early: by a signal, or because nobody reads its output any more. */
export class Interruption implements Disposable {
  readonly #listener: InterruptionListener;
  readonly #controller = new AbortController();

  constructor(listener: InterruptionListener) {
    this.#listener = listener;
    for (const signal of SIGNALS) process.on(signal, this.#received);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Once is enough; again changes nothing. */
  interrupt(): void {
    if (this.#controller.signal.aborted) return;
    this.#listener.onFirst();
    this.#controller.abort(
      new BrokerError("turnInterrupted", "The run was interrupted before its turn began.", {
        hint: "",
      }),
    );
  }

  /** The value of `work`, or a rejection at the first wish to end. */
  async race<T>(work: Promise<T>): Promise<T> {
    this.signal.throwIfAborted();
    let abort = (): void => {};
    const aborted = new Promise<never>((_resolve, reject) => {
      abort = (): void => reject(this.signal.reason as Error);
      this.signal.addEventListener("abort", abort, { once: true });
    });
    try {
      return await Promise.race([work, aborted]);
    } finally {
      this.signal.removeEventListener("abort", abort);
    }
  }

  [Symbol.dispose](): void {
    for (const signal of SIGNALS) process.off(signal, this.#received);
  }

  readonly #received = (): void => {
    if (!this.#controller.signal.aborted) return this.interrupt();
    this.#listener.onSecond();
    process.exit(EXIT.interrupted);
  };
}
