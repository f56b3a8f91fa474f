import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { err, out } from "../src/cli/output/output.ts";
import { failureOf, printFailure } from "../src/cli/output/failure.ts";
import { readArguments, USAGE, type Wanted } from "./arguments.ts";
import type { Bench, Benchmark } from "./benchmark.ts";
import { benchmarks } from "./benchmarks/all.ts";
import type { Contender } from "./contenders/contender.ts";
import { nativeSocket } from "./contenders/native-socket.ts";
import { pluginBroker } from "./contenders/plugin-broker.ts";
import { privateStdio } from "./contenders/private-stdio.ts";
import { thisBroker } from "./contenders/this-broker.ts";
import { makeGround } from "./ground.ts";
import { CAN_MEASURE } from "./measure/processes.ts";
import { writeChart } from "./report/chart.ts";
import { writePage } from "./report/page.ts";
import { resultsOf, writeResults, type MeasuredRow } from "./report/results.ts";
import { rowLines } from "./report/text-table.ts";
import { endWithSignals } from "./stopped.ts";

const EXIT_USAGE = 2;

/** @param root the project's directory. */
export async function main(args: readonly string[], root: string): Promise<number> {
  const known = benchmarks.map(({ name }) => name);
  const wanted = readArguments(args, known);
  if (wanted === undefined) {
    err.write(`${USAGE}\nNames: ${known.join(", ")}\n`);
    return EXIT_USAGE;
  }
  if (!CAN_MEASURE) {
    err.line("What a process uses is measured on Linux only.");
    return 1;
  }
  try {
    await measure(wanted, root);
    return 0;
  } catch (thrown) {
    printFailure(failureOf(thrown), err);
    if (thrown instanceof Error) err.line(thrown.stack);
    return 1;
  } finally {
    await Promise.all([out.flushed(), err.flushed()]);
  }
}

async function measure(wanted: Wanted, root: string): Promise<void> {
  const { names, quick } = wanted;
  const notes: string[] = [];
  const contenders = contendersOf(wanted, notes);
  for (const note of notes) out.line(note);
  await using ground = await makeGround();
  await using _signals = endWithSignals(ground);
  const bench: Bench = { ground, contenders, quick, times: (count) => (quick ? 2 : count) };
  const rows: MeasuredRow[] = [];
  for (const benchmark of benchmarks.filter(isWanted)) {
    const startedAt = performance.now();
    for (const row of await benchmark.run(bench)) {
      rows.push({ ...row, benchmark: benchmark.name });
      for (const line of rowLines(row)) out.line(line);
    }
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
    out.line(out.paint("dim", `  ${benchmark.name} took ${seconds} s`));
  }
  if (quick) return out.line("The figures of the short form mean nothing.");
  if (names.length > 0) return;
  const titles = contenders.map(({ name }) => name);
  const results = await resultsOf(root, ground.codex, titles, rows, notes);
  for (const file of [
    writeResults(root, results),
    writeChart(root, results),
    writePage(root, results),
  ]) {
    out.line(`written: ${file}`);
  }

  function isWanted({ name }: Benchmark): boolean {
    return names.length === 0 || names.includes(name);
  }
}

function contendersOf({ plugin }: Wanted, notes: string[]): readonly Contender[] {
  const always = [thisBroker, privateStdio, nativeSocket];
  if (plugin !== undefined && existsSync(plugin)) return [...always, pluginBroker(resolve(plugin))];
  const why = plugin === undefined ? "none was given (`--plugin FILE`)" : `${plugin} is not there`;
  notes.push(`Without the broker of the published plugin: ${why}.`);
  return always;
}
