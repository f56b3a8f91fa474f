import { BrokerError } from "./errors.ts";

/** Node fires a longer timer after 1 ms, so a longer wait is a chain of timers (24.8 days each). */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Stands for "no limit" where a duration is written as JSON, which has no infinity. */
const LONGEST_DURATION_MS = Number.MAX_SAFE_INTEGER;

/**
 * Checks a duration that enters from outside: the API, the command line, the environment or the wire.
 *
 * @param ms Infinity means no limit.
 * @param name what the caller calls it, for the error.
 * @returns milliseconds, never more than a safe integer, so that they can be added and written as JSON.
 * @throws BrokerError `usage` for NaN, a negative number and what is no number.
 */
export function durationMs(ms: unknown, name: string): number {
  if (typeof ms === "number" && ms >= 0) return Math.min(ms, LONGEST_DURATION_MS);
  throw new BrokerError("usage", `${name} is ${String(ms)}, which is no number of milliseconds.`, {
    hint: "Give zero or more milliseconds, or Infinity for no limit.",
  });
}

/** A running timer of any length. */
export interface Timer {
  stop(): void;
  /** Lets the process end while the timer runs. */
  unref(): Timer;
}

/** Calls `task` after `ms`, however long that is; never when it is infinite. */
export function startTimer(ms: number, task: () => void): Timer {
  let referenced = true;
  let restMs = Math.max(0, Math.ceil(ms));
  let timer: NodeJS.Timeout | undefined;
  const next = (): void => {
    const stepMs = Math.min(restMs, LONGEST_TIMER_MS);
    restMs -= stepMs;
    timer = setTimeout(() => (restMs > 0 ? next() : task()), stepMs);
    if (!referenced) timer.unref();
  };
  if (Number.isNaN(restMs)) throw new RangeError("A timer cannot run for NaN milliseconds.");
  if (restMs !== Number.POSITIVE_INFINITY) next();
  return {
    stop: () => clearTimeout(timer),
    unref() {
      referenced = false;
      timer?.unref();
      return this;
    },
  };
}

/** A signal that aborts after `ms`, however long that is. It does not keep the process alive. */
export function timeoutSignal(ms: number): AbortSignal {
  const controller = new AbortController();
  startTimer(ms, () => controller.abort()).unref();
  return controller.signal;
}

/** Monotonic milliseconds: unlike the wall clock, it never jumps. */
export function monotonicMs(): number {
  // `performance` would be loaded for this alone, which costs every start 0.7 ms.
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}

/**
 * A point in monotonic time by which a wait must have ended. Passed down instead of a duration, so
 * that the steps of one operation share one budget.
 */
export class Deadline {
  readonly #at: number;

  private constructor(at: number) {
    this.#at = at;
  }

  static after(ms: number): Deadline {
    return new Deadline(monotonicMs() + ms);
  }

  /** For a wait that is bound only to the life of what it waits for. */
  static never(): Deadline {
    return new Deadline(Number.POSITIVE_INFINITY);
  }

  /** This deadline, or one `ms` from now if that comes first. */
  within(ms: number): Deadline {
    return new Deadline(Math.min(this.#at, monotonicMs() + ms));
  }

  /** Milliseconds left, never negative. */
  get remainingMs(): number {
    return Math.max(0, this.#at - monotonicMs());
  }

  get expired(): boolean {
    return this.remainingMs === 0;
  }

  /**
   * The value of `work`, or a rejection with `onExpiry()` if the deadline passes first. The timer is
   * removed either way; `work` itself goes on, so its owner must stop it.
   */
  async race<T>(work: PromiseLike<T>, onExpiry: () => Error): Promise<T> {
    let timer: Timer | undefined;
    const expiry = new Promise<never>((_resolve, reject) => {
      timer = startTimer(this.remainingMs, () => reject(onExpiry()));
    });
    try {
      return await Promise.race([work, expiry]);
    } finally {
      timer?.stop();
    }
  }
}

/** Resolves after `ms`, or at once when `signal` aborts. Never rejects. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve();
    const done = (): void => {
      timer.stop();
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = startTimer(ms, done);
    signal?.addEventListener("abort", done, { once: true });
  });
}
