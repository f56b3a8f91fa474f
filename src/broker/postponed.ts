/** Enough for a burst to pass; what is refused for longer is told to whoever asked. */
const MAX_TIMES = 5;
const FIRST_PAUSE_MS = 100;

/** What is tried again a little later: at growing, jittered pauses, and only so often. */
export class Postponed<Item> {
  readonly #again: (item: Item) => void;
  readonly #timers = new Map<Item, NodeJS.Timeout>();

  constructor(again: (item: Item) => void) {
    this.#again = again;
  }

  get size(): number {
    return this.#timers.size;
  }

  /** @returns whether it will be tried again: not after it was so often before. */
  add(item: Item, timesBefore: number): boolean {
    if (timesBefore >= MAX_TIMES) return false;
    // Those who were refused together must not come back together.
    const pauseMs = FIRST_PAUSE_MS * 2 ** timesBefore * (0.5 + Math.random());
    const timer = setTimeout(() => {
      this.#timers.delete(item);
      this.#again(item);
    }, pauseMs);
    this.#timers.set(item, timer);
    return true;
  }

  /** Removes and returns what is meant. */
  withdraw(meant: (item: Item) => boolean): Item[] {
    const items = [...this.#timers.keys()].filter(meant);
    for (const item of items) {
      clearTimeout(this.#timers.get(item));
      this.#timers.delete(item);
    }
    return items;
  }
}
