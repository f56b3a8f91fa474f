import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Row } from "../benchmark.ts";
import type { Results } from "./results.ts";
import { amount, target } from "./words.ts";

const WIDTH = 960;
const LINE = 26;
const TOP = 56;
const LEFT = 470;
const BAR = 340;
/** The target is in the middle, and what is twice as much or more at the right end. */
const SCALE = 2;

/** A bar for each row, as long as the share of its target that was used up. @returns the file. */
export function writeChart(root: string, results: Results): string {
  const file = join(root, "docs/performance.svg");
  writeFileSync(file, `${[...chartLines(results)].join("\n")}\n`);
  return file;
}

/** Less is better, whichever way the row counts. */
function share({ figure, limit, atLeast }: Row): number {
  return atLeast === true ? limit / figure.value : figure.value / limit;
}

function* chartLines({ rows, commit }: Results): Generator<string> {
  const height = TOP + rows.length * LINE + 16;
  const limitAt = LEFT + BAR / SCALE;
  yield `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="13">`;
  yield `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`;
  yield `<text x="16" y="26" font-size="15" font-weight="bold" fill="#222222">What was reached, as a share of what must be (commit ${escape(commit)}); shorter is better</text>`;
  for (const [index, row] of rows.entries()) {
    const y = TOP + index * LINE;
    const length = Math.min(Math.max(share(row), 0), SCALE) * (BAR / SCALE);
    const colour = row.within ? "#2e7d4f" : "#b3452c";
    yield `<text x="${LEFT - 10}" y="${y + 13}" text-anchor="end" fill="#222222">${escape(row.what)}</text>`;
    yield `<rect x="${LEFT}" y="${y + 2}" width="${length.toFixed(1)}" height="${LINE - 12}" fill="${colour}"/>`;
    yield `<text x="${LEFT + BAR + 10}" y="${y + 13}" fill="#222222">${escape(amount(row.figure.value, row.figure.unit))}, must ${escape(target(row))}</text>`;
  }
  yield `<line x1="${limitAt}" y1="${TOP - 8}" x2="${limitAt}" y2="${height - 10}" stroke="#222222" stroke-dasharray="4 3"/>`;
  yield `<text x="${limitAt}" y="${TOP - 12}" text-anchor="middle" fill="#222222">target</text>`;
  yield "</svg>";
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
