import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { runNode } from "../support/node-process.ts";

guardAgainstLeaks();

const TIMEOUT_MS = 300_000;

/** The short form of `npm run chaos:threads`. */
test.skipIf(process.platform !== "linux")(
  "in random histories every request is answered, and every accepted turn ends once and in order for each subscriber",
  { timeout: TIMEOUT_MS },
  async () => {
    const root = fileURLToPath(new URL("../..", import.meta.url));
    const program = fileURLToPath(new URL("../../scripts/histories.mjs", import.meta.url));
    const args = ["--json", "--rounds", "8", "--seed", "1"];
    const { stdout, stderr } = await runNode([program, ...args], process.env, root);
    if (stdout === "") throw new Error(stderr);
    const held = JSON.parse(stdout) as { rounds: number; violations: readonly string[] };
    expect(held).toEqual({ rounds: 8, violations: [] });
  },
);
