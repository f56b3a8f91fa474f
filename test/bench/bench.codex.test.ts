import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { benchmarks } from "../../bench/benchmarks/all.ts";
import { eventually } from "../support/eventually.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { runNode } from "../support/node-process.ts";
import { livingBrokers } from "../support/stop-brokers.ts";
import { makeTempDir } from "../support/temp-dir.ts";

guardAgainstLeaks();

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PAGE = join(ROOT, "docs/performance.md");

/** It starts some hundred processes in turn. */
const WITHIN_MS = 240_000;

test.runIf(process.platform === "linux")(
  "the short form measures every row, and writes nothing",
  async () => {
    const before = readFileSync(PAGE, "utf8");
    const args = [join(ROOT, "scripts/bench.mjs"), "--quick", "--plugin", "/nowhere.mjs"];
    const { code, stdout, stderr } = await runNode(args, process.env, ROOT);
    expect(stderr).toBe("");
    expect(code).toBe(0);
    for (const { name } of benchmarks) expect(stdout).toMatch(new RegExp(`^ +${name} took `, "m"));
    const rows = stdout.split("\n").filter((line) => /^[✓✗] /u.test(line));
    expect(rows.length).toBeGreaterThan(benchmarks.length);
    for (const row of rows) expect(row).toMatch(/^[✓✗] +-?[\d.,]+\S* ?\S* +[≤≥] [\d.,]+/u);
    expect(stdout).not.toMatch(/NaN|\?/);
    expect(stdout).toContain("/nowhere.mjs is not there");
    expect(readFileSync(PAGE, "utf8")).toBe(before);
  },
  WITHIN_MS,
);

test.runIf(process.platform === "linux").each([
  ["SIGTERM", 143, "throughput"],
  ["SIGINT", 130, "herd"],
] as const)(
  "stopped half-way by %s, it leaves no process and no directory",
  async (signal, code, name) => {
    // Short, so that it is taken.
    await using dir = await makeTempDir("/tmp");
    const args = [join(ROOT, "scripts/bench.mjs"), "--quick", name];
    const env = { ...process.env, TMPDIR: dir.path };
    const child = spawn(process.execPath, args, { cwd: ROOT, env, stdio: "ignore" });
    const exited = new Promise((resolve) => child.once("exit", resolve));
    const brokerRuns = (): boolean =>
      readdirSync(dir.path, { withFileTypes: true, recursive: true }).some(
        (each) => each.isDirectory() && livingBrokers(join(each.parentPath, each.name)).length > 0,
      );
    await eventually(brokerRuns, "a broker runs", 60_000);
    child.kill(signal);
    expect(await exited).toBe(code);
    expect(readdirSync(dir.path)).toEqual([]);
  },
  WITHIN_MS,
);

test("what cannot be understood is answered with the usage", async () => {
  const args = [join(ROOT, "scripts/bench.mjs"), "no-such-benchmark"];
  const { code, stderr } = await runNode(args, process.env, ROOT);
  expect(code).toBe(2);
  for (const { name } of benchmarks) expect(stderr).toContain(name);
});
