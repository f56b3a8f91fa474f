/**
 * A terminal as far as this project writes to one: text, line ends, the cursor to the left and up,
 * erasing, and wrapping or not. Colours are dropped. What scrolls out at the top is kept.
 */
export class Screen {
  readonly #columns: number;
  readonly #rows: string[][] = [[]];
  #row = 0;
  #column = 0;
  #wraps = true;

  constructor(columns: number) {
    this.#columns = columns;
  }

  /** All rows ever written to that still hold something, from the first to the last. */
  get lines(): string[] {
    const lines = this.#rows.map((row) =>
      Array.from(row, (cell) => cell ?? " ")
        .join("")
        .trimEnd(),
    );
    while (lines.at(-1) === "") lines.pop();
    return lines;
  }

  write(text: string): void {
    // oxlint-disable-next-line no-control-regex -- these are what it is there to understand
    const pattern = /\u001b\[(\??)(\d*)([A-Za-z])|\u001b\[[\d;]*m|[^]/gu;
    for (const [token, , digits = "", letter] of text.matchAll(pattern)) {
      if (letter === undefined || letter === "m") this.#print(token);
      else this.#control(letter, token, Number(digits || "1"));
    }
  }

  #print(token: string): void {
    if (token.startsWith("\u001b")) return;
    if (token === "\r") this.#column = 0;
    else if (token === "\n") this.#down();
    else this.#put(token);
  }

  #put(character: string): void {
    if (this.#column >= this.#columns) {
      if (this.#wraps) this.#down();
      else this.#column = this.#columns - 1;
    }
    this.#rows[this.#row]![this.#column] = character;
    this.#column += 1;
  }

  /** As the terminal's driver has it: a line feed also returns to the left. */
  #down(): void {
    this.#column = 0;
    this.#row += 1;
    this.#rows[this.#row] ??= [];
  }

  #control(letter: string, token: string, count: number): void {
    switch (letter) {
      case "A":
        this.#row = Math.max(0, this.#row - count);
        break;
      case "K":
        this.#rows[this.#row]!.length = Math.min(this.#rows[this.#row]!.length, this.#column);
        break;
      case "J":
        this.#rows.length = this.#row + 1;
        this.#rows[this.#row]!.length = Math.min(this.#rows[this.#row]!.length, this.#column);
        break;
      case "h":
      case "l":
        if (token.includes("?7")) this.#wraps = letter === "h";
        break;
      default:
        throw new Error(`nobody wrote ${JSON.stringify(token)} before`);
    }
  }
}
