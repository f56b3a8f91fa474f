import { StringDecoder } from "node:string_decoder";
import { setTimeout as pause } from "node:timers/promises";

/** Nobody reads a question and answers it in this time: what comes sooner was typed before it stood there. */
const TYPED_AHEAD_MS = 250;

const CTRL_C = "\u0003";
/** One key: an escape sequence is one, too. */
// oxlint-disable-next-line no-control-regex -- terminals send keys as control characters
const KEY = /\u001b(?:\[[\d;]*[~A-Za-z]|O[A-Z])?|[^]/gu;

/** The keys of a terminal, one by one, as long as somebody waits for them. */
export class Keyboard {
  readonly #input: NodeJS.ReadStream;
  readonly #onInterrupt: () => void;

  /** @param onInterrupt While keys are read, Ctrl-C is one, and not a signal. */
  constructor(input: NodeJS.ReadStream, onInterrupt: () => void) {
    this.#input = input;
    this.#onInterrupt = onInterrupt;
  }

  /**
   * Hands each key to `take` until that returns something.
   *
   * @param fresh Called when what was typed before has been thrown away; the question can be asked.
   * @throws the signal's reason.
   */
  async read<T>(
    signal: AbortSignal,
    fresh: () => void,
    take: (key: string) => T | undefined,
  ): Promise<T> {
    signal.throwIfAborted();
    const decoder = new StringDecoder("utf8");
    let isFresh = false;
    let taken = (_value: T): void => {};
    const hear = (chunk: Buffer): void => {
      for (const [key] of decoder.write(chunk).matchAll(KEY)) {
        if (key === CTRL_C) this.#onInterrupt();
        const value = isFresh && key !== CTRL_C ? take(key) : undefined;
        if (value !== undefined) return taken(value);
      }
    };
    const raw = (): void => void this.#input.setRawMode(true);
    process.on("SIGCONT", raw);
    this.#input.on("data", hear);
    raw();
    this.#input.resume();
    try {
      await pause(TYPED_AHEAD_MS, undefined, { signal });
      isFresh = true;
      fresh();
      return await new Promise<T>((resolve, reject) => {
        taken = resolve;
        signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
      });
    } finally {
      process.off("SIGCONT", raw);
      this.#input.off("data", hear);
      this.#input.setRawMode(false);
      this.#input.pause();
    }
  }
}
