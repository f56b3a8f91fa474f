const NEWLINE = 0x0a;

/** Enough for what a message begins with: its id or its method. */
export const HEAD_BYTES = 1024;

export interface LineSink {
  /** One line without its newline. The buffer may share memory with the chunk it came in. */
  onLine(line: Buffer): void;
  /**
   * A line passed the limit: its bytes are dropped up to its newline, and what follows goes on.
   *
   * @param head its first bytes.
   */
  onOversizedLine(limitBytes: number, head: Buffer): void;
}

/**
 * Cuts a byte stream at `\n` and nowhere else. Node's readline also cuts at U+2028 and U+2029, which
 * are ordinary data inside a JSON string; and only bytes can be cut before a character is whole.
 */
export class LineSplitter {
  readonly #sink: LineSink;
  readonly #maxLineBytes: number;
  #parts: Buffer[] = [];
  #partBytes = 0;
  #dropping = false;

  constructor(sink: LineSink, maxLineBytes: number) {
    this.#sink = sink;
    this.#maxLineBytes = maxLineBytes;
  }

  push(chunk: Buffer): void {
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(NEWLINE, start);
      if (end === -1) break;
      this.#append(chunk.subarray(start, end));
      this.#finishLine();
      start = end + 1;
    }
    if (start < chunk.length) this.#append(chunk.subarray(start));
  }

  /** Bytes of a last line that had no newline. They are not delivered: nobody can tell if they are whole. */
  get unfinishedBytes(): number {
    return this.#partBytes;
  }

  #append(part: Buffer): void {
    if (this.#dropping) return;
    if (this.#partBytes + part.length > this.#maxLineBytes) {
      const head = Buffer.concat(
        [...this.#parts, part].map((each) => each.subarray(0, HEAD_BYTES)),
      );
      this.#dropping = true;
      this.#parts = [];
      this.#partBytes = 0;
      this.#sink.onOversizedLine(this.#maxLineBytes, head.subarray(0, HEAD_BYTES));
      return;
    }
    this.#parts.push(part);
    this.#partBytes += part.length;
  }

  #finishLine(): void {
    if (this.#dropping) {
      this.#dropping = false;
      return;
    }
    const line = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts);
    this.#parts = [];
    this.#partBytes = 0;
    this.#sink.onLine(line);
  }
}
