import stringWidth from "string-width";

/** One column each, and nothing to look up. */
const ASCII = /^[\x20-\x7e]*$/;

/** Made on first use: to load the segmentation data costs a short command a millisecond. */
let segmenter: Intl.Segmenter | undefined;

/** Returns how many columns a printable text takes on a terminal. */
export function widthOf(text: string): number {
  return ASCII.test(text) ? text.length : stringWidth(text);
}

/** Returns the text itself if it fits, else as much of it as does, with an ellipsis. */
export function truncate(text: string, columns: number): string {
  // No character is less than half a code unit wide, so the rest of a long text need not be measured.
  const start =
    text.length > MAX_UNITS_PER_COLUMN * (columns + 1) ? headOf(text, columns + 1) : text;
  if (start.length === text.length && widthOf(text) <= columns) return text;
  if (columns < 1) return "";
  return `${headOf(text, columns - 1)}…`;
}

/** A cluster of many marks on one letter is cut rather than measured to its end. */
const MAX_UNITS_PER_COLUMN = 32;

/** Returns the text in rows of at most so many columns. */
export function wrap(text: string, columns: number): string[] {
  return [...rowsOf(text, columns)];
}

/**
 * Yields the text in rows of at most so many columns, broken at spaces where that is possible. Takes
 * time in proportion to the rows that are asked for, so that the start of a huge text costs little.
 */
export function* rowsOf(text: string, columns: number): Generator<string, void> {
  for (let start = 0; start <= text.length;) {
    const found = text.indexOf("\n", start);
    const end = found === -1 ? text.length : found;
    yield* rowsOfLine(text, start, end, Math.max(1, columns));
    start = end + 1;
  }
}

function* rowsOfLine(
  text: string,
  start: number,
  end: number,
  columns: number,
): Generator<string, void> {
  let row = "";
  let width = 0;
  /** The row up to its last space, and the width of that. */
  let breakAt = 0;
  let breakWidth = 0;
  for (const character of graphemesOf(text, start, end)) {
    const isSpace = character === " ";
    const added = widthOf(character);
    // A space at the end of a full row is not shown. What follows the last space may be full by itself.
    const room = isSpace ? Number.POSITIVE_INFINITY : columns;
    while (width + added > room && row !== "") {
      const cut = breakAt === 0 ? row.length : breakAt;
      yield row.slice(0, cut).trimEnd();
      width -= breakAt === 0 ? width : breakWidth;
      row = row.slice(cut);
      breakAt = 0;
    }
    row += character;
    width += added;
    if (isSpace) {
      breakAt = row.length;
      breakWidth = width;
      if (width > columns * 2) {
        yield row.trimEnd();
        row = "";
        width = 0;
        breakAt = 0;
      }
    }
  }
  yield row.trimEnd();
}

/** Segments are made from pieces, so that the first row of a huge line needs only the first piece. */
const PIECE_UNITS = 1_024;

function* graphemesOf(text: string, start: number, end: number): Generator<string, void> {
  for (let at = start, next: number; at < end; at = next) {
    next = Math.min(at + PIECE_UNITS, end);
    if (isHighSurrogate(text.charCodeAt(next - 1))) next = Math.min(next + 1, end);
    const piece = text.slice(at, next);
    if (ASCII.test(piece)) {
      yield* piece;
      continue;
    }
    segmenter ??= new Intl.Segmenter();
    for (const { segment } of segmenter.segment(piece)) yield segment;
  }
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xdc00;
}

export function padEnd(text: string, columns: number): string {
  return text + " ".repeat(Math.max(0, columns - widthOf(text)));
}

function headOf(text: string, columns: number): string {
  let head = "";
  let width = 0;
  for (const character of graphemesOf(text, 0, text.length)) {
    width += widthOf(character);
    if (width > columns) break;
    head += character;
  }
  return head;
}
