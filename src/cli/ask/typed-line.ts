const ENTER = new Set(["\r", "\n"]);
const BACKSPACE = new Set(["\u007f", "\b"]);
const CTRL_U = "\u0015";
const ESCAPE = "\u001b";

/** A line as it is being typed. */
export class TypedLine {
  #characters: string[] = [];

  get text(): string {
    return this.#characters.join("");
  }

  /** @returns what became of the line, once that is known. */
  take(key: string): { readonly line: string | undefined } | undefined {
    if (ENTER.has(key)) return { line: this.text };
    if (key === ESCAPE) return { line: undefined };
    if (BACKSPACE.has(key)) this.#characters.pop();
    else if (key === CTRL_U) this.#characters = [];
    else if (!/^\p{Cc}/u.test(key)) this.#characters.push(key);
    return undefined;
  }
}
