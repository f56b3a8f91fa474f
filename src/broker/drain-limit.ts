import { monotonicMs, startTimer, type Timer } from "../base/deadline.ts";

/**
 * Bounds how long a broker that drains waits for its running turns. There is no limit until one is
 * set, because a turn may run for hours and a successor takes the new work meanwhile.
 */
export class DrainLimit {
  readonly #onExpired: () => void;
  #at = Number.POSITIVE_INFINITY;
  #timer: Timer | undefined;

  constructor(onExpired: () => void) {
    this.#onExpired = onExpired;
  }

  /** Sets the limit, `ms` from now. The earliest of several limits holds. */
  set(ms: number): void {
    const at = monotonicMs() + ms;
    if (at >= this.#at) return;
    this.#at = at;
    this.#schedule();
  }

  get expired(): boolean {
    return monotonicMs() >= this.#at;
  }

  /** Milliseconds until the limit, negative once it has passed; null when there is none. */
  get remainingMs(): number | null {
    return this.#at === Number.POSITIVE_INFINITY ? null : this.#at - monotonicMs();
  }

  close(): void {
    this.#timer?.stop();
  }

  #schedule(): void {
    this.#timer?.stop();
    // A timer may fire a little early.
    this.#timer = startTimer(this.#at - monotonicMs(), () =>
      this.expired ? this.#onExpired() : this.#schedule(),
    );
  }
}
