/** From here on a line has memory of its own. To set that up costs more than to join some pieces. */
const LONG_BYTES = 8 * 1024 * 1024;
/** A long line gets so much more at a time. */
const STEP_BYTES = 4 * 1024 * 1024;

/**
 * The bytes of one line until its end has come. A long one lies in memory that is given back to the system
 * the moment it is not needed: pieces would wait for the garbage collector, which an idle process does not
 * run, and their places would stay with the process even then.
 */
export class UnfinishedLine {
  #parts: Buffer[] = [];
  #bytes = 0;
  #long: ArrayBuffer | undefined;

  get bytes(): number {
    return this.#bytes;
  }

  /** @param maxBytes never more than so much is appended to one line. */
  append(part: Buffer, maxBytes: number): void {
    const bytes = this.#bytes + part.length;
    const grows = this.#long === undefined && this.#bytes > 0;
    if (grows && bytes > LONG_BYTES) this.#moveTo(reserved(maxBytes));
    if (this.#long === undefined) this.#parts.push(part);
    else this.#write(part, this.#bytes);
    this.#bytes = bytes;
  }

  /** The first bytes, so many at most. */
  head(bytes: number): Buffer {
    return Buffer.concat(this.#pieces().map((each) => each.subarray(0, bytes))).subarray(0, bytes);
  }

  /** All bytes, and nothing is left here. */
  take(): Buffer {
    const [first, second] = this.#pieces();
    const isWhole = first !== undefined && second === undefined;
    const line = isWhole ? first : Buffer.concat(this.#parts);
    // Its memory is the line's now.
    this.#long = undefined;
    this.clear();
    return line;
  }

  clear(): void {
    this.#long?.resize(0);
    this.#long = undefined;
    this.#parts = [];
    this.#bytes = 0;
  }

  #pieces(): readonly Buffer[] {
    return this.#long === undefined ? this.#parts : [Buffer.from(this.#long, 0, this.#bytes)];
  }

  #moveTo(memory: ArrayBuffer | undefined): void {
    if (memory === undefined) return;
    this.#long = memory;
    let at = 0;
    for (const part of this.#parts) {
      this.#write(part, at);
      at += part.length;
    }
    this.#parts = [];
  }

  #write(part: Buffer, at: number): void {
    const memory = this.#long!;
    const end = at + part.length;
    if (end > memory.byteLength) {
      memory.resize(Math.min(Math.max(end, memory.byteLength + STEP_BYTES), memory.maxByteLength));
    }
    Buffer.from(memory, at, part.length).set(part);
  }
}

/** Addresses for so many bytes, and no memory yet; undefined where the process may not have them. */
function reserved(maxBytes: number): ArrayBuffer | undefined {
  try {
    return new ArrayBuffer(0, { maxByteLength: maxBytes });
  } catch {
    return undefined;
  }
}
