import type { Span } from "./json-members.ts";

declare const bytes: unique symbol;

/** One line to be sent, without its newline. `length` is that of its bytes. */
export type Line = TextLine | LongLine;

/**
 * The bytes of a line, a character for each (latin1). What goes on as it came is cut, joined and written
 * in this form without being decoded; whoever wants to know what a text in it says parses it from its
 * bytes.
 */
export type TextLine = string & { readonly [bytes]: true };

/** A line that would take longer to be made a text than to be written, in the pieces to write. */
export interface LongLine {
  readonly pieces: readonly Buffer[];
  readonly length: number;
}

/** From here on a copy costs more than a write of several pieces. */
export const LONG_BYTES = 256 * 1024;

export function lineOfBytes(line: Buffer): TextLine {
  return line.toString("latin1") as TextLine;
}

/** @param text any text without a newline. */
export function lineOf(text: string): TextLine {
  return (isAsciiText(text) ? text : Buffer.from(text).toString("latin1")) as TextLine;
}

export function longLine(...pieces: readonly Buffer[]): LongLine {
  return { pieces, length: pieces.reduce((sum, piece) => sum + piece.length, 0) };
}

export function bytesOf(line: Line): Buffer {
  return typeof line === "string" ? Buffer.from(line, "latin1") : Buffer.concat(line.pieces);
}

export function textLineOf(line: Line): TextLine {
  return typeof line === "string" ? line : lineOfBytes(bytesOf(line));
}

/** The line with another piece in place of what stands there, as long as that is in its first piece. */
export function withInPlace(line: Line, { start, end }: Span, piece: string): Line {
  if (typeof line === "string") {
    return (line.slice(0, start) + piece + line.slice(end)) as TextLine;
  }
  const [first = Buffer.alloc(0), ...rest] = line.pieces;
  const beginning = Buffer.concat([first.subarray(0, start), Buffer.from(piece, "latin1")]);
  return longLine(beginning, first.subarray(end), ...rest);
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
