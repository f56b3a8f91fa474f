import { createRequire } from "node:module";
import { parseArgs } from "node:util";
import { changingHands } from "./changing-hands.ts";
import { recycledFamily, recycledNames } from "./recycled.ts";
import { canRecycle } from "./stranger.ts";
import { emptyRow, hearSignals, isGood, noteReached, type Row } from "./tally.ts";
import { wholeBrokers } from "./whole-brokers.ts";

/** Of what takes a process group, a race or a whole broker there are fewer. */
const NAMES_PER_FAMILY = 20;
const NAMES_PER_RACE = 10;

/** Runs in a pid namespace of its own. Prints its rows as JSON, or why there are none. */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "200" },
      whole: { type: "string", default: "2" },
      root: { type: "string", default: process.cwd() },
    },
  });
  if (!canRecycle()) {
    return console.log(JSON.stringify({ skipped: "the kernel does not let us choose pids" }));
  }
  const rounds = Number(values.rounds);
  const descriptors = hasDescriptors();
  const heard = hearSignals();
  const rows: Row[] = [];
  const hold = async (what: string, play: (row: Row) => Promise<void>): Promise<void> => {
    const row = emptyRow(what, descriptors);
    try {
      await play(row);
    } catch (error) {
      row.broken = true;
      row.details.push(String(error));
    }
    noteReached(row, heard.splice(0));
    rows.push(row);
    console.error(`${what}: ${row.rounds} rounds${isGood(row) ? "" : ", NOT GOOD"}`);
  };
  await hold("recycled pids and edited names", (row) => recycledNames(row, rounds));
  await hold("a recycled app-server and its command", (row) =>
    recycledFamily(row, Math.ceil(rounds / NAMES_PER_FAMILY)),
  );
  // By number there is a gap between the look and the signal, and a race this fast may hit it.
  if (descriptors) {
    await hold("a pid that changes hands under the signals", (row) =>
      changingHands(row, Math.ceil(rounds / NAMES_PER_RACE)),
    );
  }
  await hold("whole brokers", (row) => wholeBrokers(row, Number(values.whole), values.root));
  console.log(JSON.stringify({ rows }));
}

function hasDescriptors(): boolean {
  try {
    createRequire(import.meta.url)("koffi");
    return true;
  } catch {
    return false;
  }
}

await main();
