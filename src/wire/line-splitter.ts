import { UnfinishedLine } from "./unfinished-line.ts";

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
  readonly #unfinished = new UnfinishedLine();
  #maxLineBytes: number;
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
    return this.#unfinished.bytes;
  }

  /** Lines may be so long from the next one on, and the one that has begun if it is not longer yet. */
  limitLines(maxLineBytes: number): void {
    this.#maxLineBytes = maxLineBytes;
  }

  /** Forgets the line that has begun, the rest of it included. */
  dropUnfinished(): void {
    this.#dropping ||= this.#unfinished.bytes > 0;
    this.#unfinished.clear();
  }

  #append(part: Buffer): void {
    if (this.#dropping) return;
    const unfinished = this.#unfinished;
    if (unfinished.bytes + part.length > this.#maxLineBytes) {
      const head = Buffer.concat([unfinished.head(HEAD_BYTES), part.subarray(0, HEAD_BYTES)]);
      this.#dropping = true;
      unfinished.clear();
      this.#sink.onOversizedLine(this.#maxLineBytes, head.subarray(0, HEAD_BYTES));
      return;
    }
    unfinished.append(part, this.#maxLineBytes);
  }

  #finishLine(): void {
    if (this.#dropping) {
      this.#dropping = false;
      return;
    }
    this.#sink.onLine(this.#unfinished.take());
  }
}
