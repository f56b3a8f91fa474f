/** One string in a TOML document and the keys that lead to it. Array elements have the keys of the array. */
export interface TomlString {
  readonly keys: readonly string[];
  readonly value: string;
}

/**
 * Returns the strings of a TOML document, up to the first syntax error. Numbers, dates and booleans are
 * skipped.
 */
export function tomlStrings(text: string): readonly TomlString[] {
  const found: TomlString[] = [];
  try {
    new Reader(text, found).document();
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  return found;
}

const BARE_KEY = /[A-Za-z0-9_-]+/y;
const SCALAR = /[^\s,\]}#"'[{]+(?: \d[^\s,\]}#]*)?/y;
const BLANK = /[ \t]*/y;
const BLANK_LINES = /(?:[ \t\r\n]|#[^\n]*)*/y;
const END_OF_LINE = /[ \t]*(?:#[^\n]*)?(?:\r?\n|$)/y;
const LITERAL = /'([^'\n]*)'/y;
const MULTILINE_LITERAL = /'''\r?\n?([\s\S]*?'{0,2})'''(?!')/y;
const BASIC = /"((?:[^"\\\n]|\\.)*)"/y;
const MULTILINE_BASIC = /"""\r?\n?((?:[^\\]|\\[\s\S])*?"{0,2})"""(?!")/y;

const ESCAPES: Readonly<Record<string, string>> = { b: "\b", t: "\t", n: "\n", f: "\f", r: "\r" };

class Reader {
  readonly #text: string;
  readonly #found: TomlString[];
  #at = 0;

  constructor(text: string, found: TomlString[]) {
    this.#text = text;
    this.#found = found;
  }

  document(): void {
    let table: readonly string[] = [];
    for (;;) {
      this.#take(BLANK_LINES);
      if (this.#at >= this.#text.length) return;
      if (this.#skip("[")) {
        const isArray = this.#skip("[");
        table = this.#keys();
        this.#expect(isArray ? "]]" : "]");
      } else {
        this.#assignment(table);
      }
      this.#require(END_OF_LINE);
    }
  }

  #assignment(table: readonly string[]): void {
    const keys = this.#keys();
    this.#expect("=");
    this.#take(BLANK);
    this.#value([...table, ...keys]);
  }

  #keys(): string[] {
    const keys: string[] = [];
    do {
      this.#take(BLANK);
      keys.push(this.#string() ?? this.#require(BARE_KEY)[0]);
      this.#take(BLANK);
    } while (this.#skip("."));
    return keys;
  }

  #value(keys: readonly string[]): void {
    const value = this.#string();
    if (value !== undefined) this.#found.push({ keys, value });
    else if (this.#skip("[")) this.#list("]", () => this.#value(keys));
    else if (this.#skip("{")) this.#list("}", () => this.#assignment(keys));
    else this.#require(SCALAR);
  }

  #list(end: string, element: () => void): void {
    for (;;) {
      this.#take(BLANK_LINES);
      if (this.#skip(end)) return;
      element();
      this.#take(BLANK_LINES);
      if (!this.#skip(",")) return this.#expect(end);
    }
  }

  #string(): string | undefined {
    const literal = this.#take(MULTILINE_LITERAL) ?? this.#take(LITERAL);
    if (literal !== undefined) return literal[1] ?? "";
    const basic = this.#take(MULTILINE_BASIC) ?? this.#take(BASIC);
    return basic === undefined ? undefined : unescaped(basic[1] ?? "");
  }

  #skip(text: string): boolean {
    if (!this.#text.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  #expect(text: string): void {
    if (!this.#skip(text)) throw new SyntaxError(`no ${text} at ${this.#at}`);
  }

  #take(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match === null) return undefined;
    this.#at += match[0].length;
    return match;
  }

  #require(pattern: RegExp): RegExpExecArray {
    const match = this.#take(pattern);
    if (match === undefined) throw new SyntaxError(`nothing expected at ${this.#at}`);
    return match;
  }
}

function unescaped(text: string): string {
  return text.replace(
    /\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|([ \t]*\r?\n\s*)|(.))/g,
    (_all, short?: string, long?: string, folded?: string, letter = "") => {
      if (folded !== undefined) return "";
      const code = short ?? long;
      if (code === undefined) return ESCAPES[letter as string] ?? (letter as string);
      const point = Number.parseInt(code, 16);
      return point <= 0x10ffff ? String.fromCodePoint(point) : "";
    },
  );
}
