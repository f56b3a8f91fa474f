/** A connection whose line can be dropped. */
export interface Unfinished {
  /** Forgets the line that has begun to come, and says why. */
  dropUnfinished(maxBytes: number): void;
}

/**
 * What all connections together have sent of lines that have not ended. Beyond the limit the line goes of
 * which nothing has come for the longest time: one that is being sent is worth more than one that stopped.
 */
export class UnfinishedLines {
  readonly #maxBytes: number;
  /** In the order in which something has come of each. */
  readonly #held = new Map<Unfinished, number>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** So many bytes of that connection wait for the end of their line now. */
  note(connection: Unfinished, bytes: number): void {
    this.#set(connection, bytes);
    while (this.#bytes > this.#maxBytes) {
      const [oldest] = this.#held.keys();
      if (oldest === undefined) return;
      this.#set(oldest, 0);
      oldest.dropUnfinished(this.#maxBytes);
    }
  }

  #set(connection: Unfinished, bytes: number): void {
    this.#bytes += bytes - (this.#held.get(connection) ?? 0);
    this.#held.delete(connection);
    if (bytes > 0) this.#held.set(connection, bytes);
  }
}
