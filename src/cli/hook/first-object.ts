/** Takes the first JSON object out of a text that comes in pieces, and reads no piece twice. */
export class FirstObject {
  #text = "";
  #depth = 0;
  #inString = false;
  #escaped = false;

  /** The object's text once it is whole. Whether it is JSON is left to whoever parses it. */
  push(piece: string): string | undefined {
    for (let at = 0; at < piece.length; at += 1) {
      if (this.#isItsEnd(piece[at]!)) return this.#text + piece.slice(0, at + 1);
    }
    this.#text += piece;
    return undefined;
  }

  /** Whether something has come that no object begins with. */
  get isHopeless(): boolean {
    return this.#depth === 0 && this.#text.trim() !== "";
  }

  get length(): number {
    return this.#text.length;
  }

  #isItsEnd(sign: string): boolean {
    if (this.#escaped) this.#escaped = false;
    else if (this.#inString) {
      if (sign === "\\") this.#escaped = true;
      else if (sign === '"') this.#inString = false;
    } else if (sign === '"') this.#inString = this.#depth > 0;
    else if (sign === "{") this.#depth += 1;
    else if (sign === "}" && this.#depth > 0) {
      this.#depth -= 1;
      return this.#depth === 0;
    }
    return false;
  }
}
