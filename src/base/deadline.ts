/** Node clamps longer timers to 1 ms, so a longer wait is cut to this one (24.8 days). */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

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
    let timer: NodeJS.Timeout | undefined;
    const expiry = new Promise<never>((_resolve, reject) => {
      if (this.#at === Number.POSITIVE_INFINITY) return;
      timer = setTimeout(() => reject(onExpiry()), clampTimer(this.remainingMs));
    });
    try {
      return await Promise.race([work, expiry]);
    } finally {
      clearTimeout(timer);
    }
  }
}

export function clampTimer(ms: number): number {
  return Math.min(Math.max(0, Math.ceil(ms)), LONGEST_TIMER_MS);
}

/** Resolves after `ms`, or at once when `signal` aborts. Never rejects. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, clampTimer(ms));
    signal?.addEventListener("abort", done, { once: true });
  });
}
