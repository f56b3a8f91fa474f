/** Take no column of their own: marks that combine, joiners, variation selectors. */
const NARROW_TO_NOTHING = /^[\p{Mn}\p{Me}\p{Cf}]$/u;

/** Take two columns on nearly every terminal: East Asian wide and full-width forms, and emoji. */
const WIDE =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f680}-\u{1f6ff}\u{1f900}-\u{1faff}\u{20000}-\u{3fffd}]$/u;

/** Columns that a printable text takes on a terminal. */
export function widthOf(text: string): number {
  let width = 0;
  for (const character of text) width += columnsOf(character);
  return width;
}

/** The text itself if it fits, else as much of it as does, with an ellipsis. */
export function truncate(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  if (columns < 1) return "";
  return `${headOf(text, columns - 1)}…`;
}

/** The text in rows of at most so many columns, broken at spaces where that is possible. */
export function wrap(text: string, columns: number): string[] {
  const rows: string[] = [];
  for (const line of text.split("\n")) {
    let row = "";
    for (const word of line.split(/(?<=\s)/)) {
      if (row !== "" && widthOf(row) + widthOf(word.trimEnd()) > columns) {
        rows.push(row.trimEnd());
        row = "";
      }
      row += word;
      while (widthOf(row.trimEnd()) > columns) {
        const head =
          headOf(row, Math.max(1, columns)) || String.fromCodePoint(row.codePointAt(0) ?? 0);
        rows.push(head);
        row = row.slice(head.length);
      }
    }
    rows.push(row.trimEnd());
  }
  return rows;
}

export function padEnd(text: string, columns: number): string {
  return text + " ".repeat(Math.max(0, columns - widthOf(text)));
}

function headOf(text: string, columns: number): string {
  let head = "";
  let width = 0;
  for (const character of text) {
    width += columnsOf(character);
    if (width > columns) break;
    head += character;
  }
  return head;
}

function columnsOf(character: string): number {
  if (character < "\u0300") return 1;
  if (NARROW_TO_NOTHING.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}
