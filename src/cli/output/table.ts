import type { Output } from "./output.ts";
import { padEnd, truncate, widthOf } from "./width.ts";

const INDENT = "  ";
const GAP = "  ";
/** No cell is worth more of a line than this. */
const WIDEST_CELL = 48;

/** Aligned columns under dim heads; cells hold printable text in one line. */
export function table(
  heads: readonly string[],
  rows: readonly (readonly string[])[],
  to: Output,
): string[] {
  const cells = rows.map((row) => row.map((cell) => truncate(cell, WIDEST_CELL)));
  const widths = heads.map((head, column) =>
    Math.max(widthOf(head), ...cells.map((row) => widthOf(row[column] ?? ""))),
  );
  const line = (row: readonly string[]): string =>
    (INDENT + row.map((cell, column) => padEnd(cell, widths[column] ?? 0)).join(GAP)).trimEnd();
  return [to.paint("dim", line(heads)), ...cells.map(line)];
}
