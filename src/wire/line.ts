declare const bytes: unique symbol;

/**
 * The bytes of one line, a character for each (latin1), without its newline. What goes on as it came is
 * cut, joined and written in this form without being decoded; whoever wants to know what a text in it
 * says parses it from its bytes.
 */
export type Line = string & { readonly [bytes]: true };

export function lineOfBytes(line: Buffer): Line {
  return line.toString("latin1") as Line;
}

/** @param text any text without a newline. */
export function lineOf(text: string): Line {
  return (isAsciiText(text) ? text : Buffer.from(text).toString("latin1")) as Line;
}

/** What a piece of a line says. */
export function textOf(piece: string): string {
  return Buffer.from(piece, "latin1").toString("utf8");
}

/** JSON that says the same in ASCII alone, so that it may stand anywhere in a line. */
export function asciiJson(value: unknown): string {
  const json = JSON.stringify(value);
  return isAsciiText(json) ? json : json.replaceAll(new RegExp(NOT_ASCII, "g"), escaped);
}

const NOT_ASCII = /[^\0-\x7f]/;

function isAsciiText(text: string): boolean {
  return !NOT_ASCII.test(text);
}

function escaped(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
