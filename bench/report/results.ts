import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, release, totalmem, type as systemName } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { within, type Row } from "../benchmark.ts";

/** What was measured, and on what. */
export interface Results {
  readonly at: string;
  readonly machine: {
    readonly processor: string;
    readonly cores: number;
    readonly memoryGiB: number;
    readonly system: string;
  };
  readonly node: string;
  readonly codex: string;
  /** The commit, and whether the tree had other changes. */
  readonly commit: string;
  readonly contenders: readonly string[];
  readonly notes: readonly string[];
  readonly rows: ReadonlyArray<Row & { readonly benchmark: string; readonly within: boolean }>;
}

export type MeasuredRow = Row & { readonly benchmark: string };

export async function resultsOf(
  root: string,
  codex: string,
  contenders: readonly string[],
  rows: readonly MeasuredRow[],
  notes: readonly string[],
): Promise<Results> {
  const [processor] = cpus();
  return {
    at: new Date().toISOString(),
    machine: {
      processor: processor?.model ?? "unknown",
      cores: cpus().length,
      memoryGiB: Math.round(totalmem() / 1_024 ** 3),
      system: `${systemName()} ${release()}`,
    },
    node: process.version,
    codex: await output(codex, ["--version"]),
    commit: await output("git", ["-C", root, "describe", "--always", "--dirty", "--abbrev=12"]),
    contenders,
    notes,
    rows: rows.map((row) => ({ ...row, within: within(row) })),
  };
}

/** @returns the file. */
export function writeResults(root: string, results: Results): string {
  const folder = join(root, "bench/results");
  mkdirSync(folder, { recursive: true });
  const file = join(folder, "latest.json");
  writeFileSync(file, `${JSON.stringify(results, null, 2)}\n`);
  return file;
}

async function output(command: string, args: readonly string[]): Promise<string> {
  return await promisify(execFile)(command, args).then(
    ({ stdout }) => stdout.trim(),
    () => "unknown",
  );
}
