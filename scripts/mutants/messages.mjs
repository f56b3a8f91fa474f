import { readFileSync } from "node:fs";
import { parseSync, Visitor } from "oxc-parser";

/** @typedef {import("@stryker-mutator/api/core").Mutant} Mutant */

/** @type {Map<string, { starts: number[]; spans: [number, number][] }>} */
const known = new Map();

/**
 * Whether a mutant stands in the text of an error or of a log entry. Their wording is not tested.
 * @param {Mutant} mutant
 */
export function speaksToPeople({ fileName, location }) {
  const { starts, spans } = factsOf(fileName);
  const from = (starts[location.start.line] ?? 0) + location.start.column;
  const to = (starts[location.end.line] ?? 0) + location.end.column;
  return spans.some(([start, end]) => start <= from && to <= end);
}

/** @param {string} file */
function factsOf(file) {
  const facts = known.get(file) ?? read(file);
  known.set(file, facts);
  return facts;
}

/** @param {string} file */
function read(file) {
  const text = readFileSync(file, "utf8");
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  /** @type {[number, number][]} */
  const spans = [];
  new Visitor({
    CallExpression({ callee, start, end }) {
      if (callee.type === "Identifier" && callee.name === "trace") spans.push([start, end]);
    },
    NewExpression({ callee, arguments: args }) {
      if (callee.type !== "Identifier" || !callee.name.endsWith("Error")) return;
      // The kind of an error of ours decides what its receiver does.
      const texts = callee.name === "BrokerError" ? args.slice(1) : args;
      for (const { start, end } of texts) spans.push([start, end]);
    },
  }).visit(parseSync(file, text).program);
  return { starts, spans };
}
