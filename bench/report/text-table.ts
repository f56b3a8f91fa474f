import type { Row } from "../benchmark.ts";
import { amount, mark, spread, target } from "./words.ts";

/** A row as lines for a terminal: what decides first. */
export function* rowLines(row: Row): Generator<string> {
  const { what, figure, measured } = row;
  yield `${mark(row)} ${amount(figure.value, figure.unit).padStart(9)}  ${target(row).padEnd(10)} ${what}`;
  yield `${" ".repeat(24)}${figure.name}: ${spread(figure)}`;
  for (const each of measured) yield `${" ".repeat(24)}${each.name}: ${spread(each)}`;
}
