import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { runNode } from "../support/node-process.ts";

guardAgainstLeaks();

const TIMEOUT_MS = 300_000;
/** A short run is all warm-up for memory. What it shows is that nothing is left of finished work. */
const SHORT = "--turns 150 --sessions 50 --jobs 15 --rotations 2 --samples 10 --factor 3".split(
  " ",
);

/** The short form of `npm run soak`. */
test.skipIf(process.platform !== "linux")(
  "after sessions, turns, jobs and rotations no descriptor, process, thread or file is left of them",
  { timeout: TIMEOUT_MS },
  async () => {
    const root = fileURLToPath(new URL("../..", import.meta.url));
    const program = fileURLToPath(new URL("../../scripts/soak.mjs", import.meta.url));
    const { stdout, stderr } = await runNode([program, "--json", ...SHORT], process.env, root);
    if (stdout === "") throw new Error(stderr);
    const { violations } = JSON.parse(stdout) as { violations: readonly string[] };
    expect(violations).toEqual([]);
  },
);
