const FIRST_CAPACITY = 1 << 12;
/** Fuller than this, a hash table gets slow. */
const FULLEST = 0.5;

/** Different strings of equally many bytes, numbered in the order in which they came. Millions fit. */
export class ByteSet {
  readonly #width: number;
  #bytes: Uint8Array;
  /** Open addressing; 0 is free, otherwise a number plus one. */
  #slots: Int32Array;
  #size = 0;

  constructor(width: number) {
    this.#width = width;
    this.#bytes = new Uint8Array(width * FIRST_CAPACITY);
    this.#slots = new Int32Array(FIRST_CAPACITY / FULLEST);
  }

  get size(): number {
    return this.#size;
  }

  /** The bytes with this number. Valid until the next `add`, and not to be changed. */
  at(number: number): Uint8Array {
    return this.#bytes.subarray(number * this.#width, (number + 1) * this.#width);
  }

  /** @returns the number of these bytes, which is the former size if they are new. */
  add(bytes: Uint8Array): number {
    const slot = this.#find(bytes);
    const found = this.#slots[slot]!;
    if (found !== 0) return found - 1;
    const number = this.#size;
    this.#bytes.set(bytes, number * this.#width);
    this.#slots[slot] = number + 1;
    this.#size += 1;
    if (this.#size * this.#width === this.#bytes.length) this.#grow();
    return number;
  }

  #find(bytes: Uint8Array): number {
    const mask = this.#slots.length - 1;
    for (let slot = hash(bytes) & mask; ; slot = (slot + 1) & mask) {
      const found = this.#slots[slot]!;
      if (found === 0 || this.#equals(found - 1, bytes)) return slot;
    }
  }

  #equals(number: number, bytes: Uint8Array): boolean {
    const offset = number * this.#width;
    for (let each = 0; each < bytes.length; each += 1) {
      if (this.#bytes[offset + each] !== bytes[each]) return false;
    }
    return true;
  }

  #grow(): void {
    const bytes = new Uint8Array(this.#bytes.length * 2);
    bytes.set(this.#bytes);
    this.#bytes = bytes;
    this.#slots = new Int32Array(this.#slots.length * 2);
    for (let number = 0; number < this.#size; number += 1) {
      this.#slots[this.#find(this.at(number))] = number + 1;
    }
  }
}

/** FNV-1a, stirred at the end because only the low bits are used. */
function hash(bytes: Uint8Array): number {
  let value = 0x811c9dc5;
  for (let each = 0; each < bytes.length; each += 1) {
    value = Math.imul(value ^ bytes[each]!, 0x01000193);
  }
  value ^= value >>> 15;
  return (value ^ (value >>> 13)) >>> 0;
}
