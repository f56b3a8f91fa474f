import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import { killTreeProven, provenDescendants } from "../../src/os/kill-tree.ts";
import { identityOf, livenessOf, ownIdentity } from "../../src/os/process-identity.ts";
import { eventually } from "../support/eventually.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { startStranger } from "../support/stranger.ts";

guardAgainstLeaks();

const PROVES = ownIdentity().startTime !== null;

/** A process with a child, as an app-server is one, and a grandchild with a session of its own. */
const FAMILY = `
  const { spawn } = require("node:child_process");
  const depth = Number(process.argv[1]);
  process.stdout.write(process.pid + "\\n");
  if (depth > 0) {
    spawn(process.execPath, ["-e", process.env.FAMILY, depth - 1], { stdio: ["ignore", "inherit", "ignore"], detached: depth === 1 });
  }
  setInterval(() => {}, 1e6);
`;

async function startFamily(): Promise<number[]> {
  const child = spawn(process.execPath, ["-e", FAMILY, "2"], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, FAMILY },
  });
  const pids: number[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    pids.push(Number(line));
    if (pids.length === 3) break;
  }
  return pids;
}

test.skipIf(!PROVES)(
  "F18 S4: a process ends with all that descends from it, and nobody else",
  async () => {
    const neighbour = await startStranger();
    const [root, ...below] = (await startFamily()).map(identityOf);
    const found = provenDescendants(root!);
    // The last of the family comes first. Windows adds a console host to a detached program.
    expect(below.map(({ pid }) => found.some((each) => each.pid === pid))).toEqual([true, true]);
    expect(found.some(({ pid }) => pid === neighbour.pid)).toBe(false);

    expect(killTreeProven(root!)).toBe("signalled");
    for (const each of [root!, ...below]) {
      await eventually(() => livenessOf(each) === "gone", `process ${each.pid} ends`);
    }
    expect(neighbour.alive()).toBe(true);
    await neighbour.end();
  },
);

test.skipIf(!PROVES)("F16: nobody descends from a process that is another one by now", async () => {
  const family = (await startFamily()).map(identityOf);
  const [root] = family;
  const earlier = { ...root!, startTime: String(BigInt(root!.startTime!) - 1n) };
  expect(provenDescendants(earlier)).toEqual([]);
  expect(killTreeProven(earlier)).toBe("gone");
  expect(livenessOf(root!)).toBe("alive");
  expect(killTreeProven(root!)).toBe("signalled");
  for (const each of family) {
    await eventually(() => livenessOf(each) === "gone", `process ${each.pid} ends`);
  }
});

test.skipIf(!PROVES)("neither a process nor whoever asks counts among its descendants", () => {
  const parent = identityOf(process.ppid);
  const found = provenDescendants(parent).map(({ pid }) => pid);
  expect(found).not.toContain(parent.pid);
  expect(found).not.toContain(process.pid);
  expect(provenDescendants(ownIdentity()).map(({ pid }) => pid)).not.toContain(process.pid);
});
