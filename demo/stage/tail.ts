import { widthOf } from "../../src/cli/output/width.ts";

/** The last words that fit, with an ellipsis for those before. */
export function tailOf(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  let tail = "";
  for (const word of text.split(" ").toReversed()) {
    const longer = tail === "" ? word : `${word} ${tail}`;
    if (widthOf(longer) > columns - 1) break;
    tail = longer;
  }
  return columns < 1 ? "" : `…${tail}`;
}
