import type { NotificationFrame } from "../wire/frame.ts";

interface Told {
  readonly threadId: string;
  readonly frame: NotificationFrame;
}

/** What one who joins in the middle of a turn has missed. */
export interface Missed {
  readonly frames: readonly NotificationFrame[];
  /** How many more there were of each thread, which were not kept. */
  readonly cut: ReadonlyMap<string, number>;
}

/**
 * What was told of running turns, so that whoever joins in the middle can be told the same. One list
 * for a thread and its sub-agents', because their order among each other counts too; it is bounded in
 * bytes, and then the oldest events go.
 */
export class Backlog {
  readonly #maxBytes: number;
  #told: Told[] = [];
  #bytes = 0;
  #cut = new Map<string, number>();

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get isEmpty(): boolean {
    return this.#told.length === 0 && this.#cut.size === 0;
  }

  record(threadId: string, frame: NotificationFrame): void {
    // Kept as it goes out; what was read from it is not needed again.
    this.#told.push({ threadId, frame: { ...frame, params: undefined } });
    this.#bytes += frame.line.length;
    if (this.#bytes > this.#maxBytes) this.#cutOldest();
  }

  /** All of which something is here. */
  threads(): string[] {
    return [...new Set([...this.#told.map(({ threadId }) => threadId), ...this.#cut.keys()])];
  }

  of(wanted: (threadId: string) => boolean): Missed {
    return {
      frames: this.#told.filter(({ threadId }) => wanted(threadId)).map(({ frame }) => frame),
      cut: new Map([...this.#cut].filter(([threadId]) => wanted(threadId))),
    };
  }

  /** A turn has ended: what belongs to none that goes on is forgotten. */
  keep(running: (threadId: string) => boolean): void {
    this.#told = this.#told.filter(({ threadId }) => running(threadId));
    this.#bytes = this.#told.reduce((sum, { frame }) => sum + frame.line.length, 0);
    this.#cut = new Map([...this.#cut].filter(([threadId]) => running(threadId)));
  }

  /** A tenth more than needed, so that a long turn does not move the whole list at every event. */
  #cutOldest(): void {
    let count = 0;
    while (this.#bytes > 0.9 * this.#maxBytes && count < this.#told.length) {
      const { threadId, frame } = this.#told[count]!;
      this.#bytes -= frame.line.length;
      this.#cut.set(threadId, (this.#cut.get(threadId) ?? 0) + 1);
      count += 1;
    }
    this.#told.splice(0, count);
  }
}
