import { monotonicMs } from "../base/deadline.ts";
import type { Usage } from "../base/usage.ts";

/** While turns run, and what is used may grow. */
const BUSY_PAUSE_MS = 5_000;
/** While none does; a leak of what nobody uses is slow. */
const QUIET_PAUSE_MS = 60_000;
const SHORTEST_PAUSE_MS = 1_000;
/** Looking blocks for a time that grows with the machine's processes; it may take 2 % of ours. */
const REST_FACTOR = 50;

/**
 * Looks at what is used: at the end of the last turn, for only then does nothing belong to work, and
 * else as often as there may be something new.
 */
export class UsageWatch {
  readonly #take: () => Usage;
  readonly #turnsRun: () => boolean;
  readonly #onLook: (usage: Usage) => void;
  #timer: NodeJS.Timeout | undefined;
  #busy = false;
  #last: { readonly usage: Usage; readonly at: number } | undefined;
  /** No look before this is worth its cost. */
  #restsUntil = 0;
  #open = false;

  constructor(take: () => Usage, turnsRun: () => boolean, onLook: (usage: Usage) => void) {
    this.#take = take;
    this.#turnsRun = turnsRun;
    this.#onLook = onLook;
  }

  begin(): void {
    this.#open = true;
    // Not at once: the first client waits.
    this.#schedule(SHORTEST_PAUSE_MS);
  }

  stop(): void {
    this.#open = false;
    clearTimeout(this.#timer);
  }

  /** A turn may have begun or ended. */
  workChanged(): void {
    if (!this.#open || this.#busy === this.#turnsRun()) return;
    this.#busy = this.#turnsRun();
    const restMs = this.#restsUntil - monotonicMs();
    // At once, because the next turn may follow at once.
    if (!this.#busy && restMs <= 0) return this.#look();
    this.#schedule(this.#busy ? BUSY_PAUSE_MS : restMs);
  }

  /** What is used now, or was within the last second. */
  current(): Usage {
    const { at, usage } = this.#last ?? {};
    if (usage === undefined || at === undefined) return this.#measure();
    return monotonicMs() - at < SHORTEST_PAUSE_MS ? usage : this.#measure();
  }

  #look(): void {
    this.#busy = this.#turnsRun();
    const usage = this.#measure();
    this.#schedule(this.#busy ? BUSY_PAUSE_MS : QUIET_PAUSE_MS);
    this.#onLook(usage);
  }

  #measure(): Usage {
    const startedAt = monotonicMs();
    const usage = this.#take();
    const now = monotonicMs();
    this.#last = { usage, at: now };
    this.#restsUntil = now + Math.max(SHORTEST_PAUSE_MS, (now - startedAt) * REST_FACTOR);
    return usage;
  }

  #schedule(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => this.#look(),
      Math.max(ms, Math.ceil(this.#restsUntil - monotonicMs())),
    );
  }
}
