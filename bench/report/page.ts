import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Results } from "./results.ts";
import { amount, mark, spread, target } from "./words.ts";

const BEGIN = "<!-- measured: written by `npm run bench` -->";
const END = "<!-- end of what is measured -->";

/** Puts the table into the page about performance, between its two marks. @returns the file. */
export function writePage(root: string, results: Results): string {
  const file = join(root, "docs/performance.md");
  const text = readFileSync(file, "utf8");
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin === -1 || end < begin) throw new Error(`${file} has no place for the table`);
  const table = [...tableLines(results)].join("\n");
  writeFileSync(file, `${text.slice(0, begin)}${BEGIN}\n${table}\n${text.slice(end)}`);
  return file;
}

function* tableLines(results: Results): Generator<string> {
  const { machine, node, codex, commit, at, contenders, notes, rows } = results;
  const reached = rows.filter((row) => row.within).length;
  yield "";
  yield (
    `${reached} of ${rows.length} targets reached. ${machine.cores} × ${machine.processor}, ` +
      `${machine.memoryGiB} GiB, ${machine.system}; Node ${node}, ${codex}, commit ${commit}, ` +
      `${at.slice(0, 10)}. In turn: ${contenders.join(", ")}.`
  );
  for (const note of notes) yield `\n${note}`;
  yield "";
  yield "![What was reached, as a share of what must be](performance.svg)";
  yield "";
  yield "| | what | reached | must | measured: median (lowest–highest) |";
  yield "|---|---|---|---|---|";
  for (const row of rows) {
    const { what, figure, measured } = row;
    const facts = measured.map((each) => `${each.name}: ${spread(each)}`).join("<br>");
    yield (
      `| ${mark(row)} | ${what} | **${amount(figure.value, figure.unit)}** ${figure.name} | ` +
        `${target(row)} | ${facts} |`
    );
  }
  yield "";
}
