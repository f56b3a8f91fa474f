import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { benchmarks } from "../../bench/benchmarks/all.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { runNode } from "../support/node-process.ts";

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

test("what cannot be understood is answered with the usage", async () => {
  const args = [join(ROOT, "scripts/bench.mjs"), "no-such-benchmark"];
  const { code, stderr } = await runNode(args, process.env, ROOT);
  expect(code).toBe(2);
  for (const { name } of benchmarks) expect(stderr).toContain(name);
});
