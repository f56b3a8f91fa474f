import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { runNode } from "../support/node-process.ts";

guardAgainstLeaks();

/** What is under way, and a broker that was stopped, come to their ends first. */
const TIMEOUT_MS = 150_000;

async function hold(...args: readonly string[]): Promise<void> {
  const root = fileURLToPath(new URL("../..", import.meta.url));
  const program = fileURLToPath(new URL("../../scripts/chaos.mjs", import.meta.url));
  const { code, stdout, stderr } = await runNode([program, "--json", ...args], process.env, root);
  if (stdout === "") throw new Error(stderr);
  expect((JSON.parse(stdout) as { violations: string[] }).violations).toEqual([]);
  expect(code).toBe(0);
}

/** The short form of `npm run chaos`. */
describe.skipIf(process.platform !== "linux")("clients of ours and plain ones at work", () => {
  test(
    "F29 F22 S8: while brokers rotate: no connection refused, no answer lost or doubled, no turn cut",
    { timeout: TIMEOUT_MS },
    async () => {
      const only = "rotation,config edited,codex replaced";
      await hold("--minutes", "0.2", "--seed", "1", "--only", only);
    },
  );

  test(
    "S1 S5 S7: in chaos: every wait ends, one broker is left, and nothing else of it all",
    { timeout: TIMEOUT_MS },
    async () => {
      await hold("--minutes", "0.2", "--seed", "2", "--codex", "fake");
    },
  );
});
