import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import { provenDescendants } from "../../src/os/kill-tree.ts";
import { identityOf, livenessOf } from "../../src/os/process-identity.ts";
import { readProcess } from "../../src/os/process-tree.ts";
import { killProven } from "../../src/os/verified-kill.ts";
import { eventually } from "../support/eventually.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { ON_WINDOWS } from "../support/wine.ts";

guardAgainstLeaks();

/** Wine gives a pid again after about 250 processes; Windows when it likes. */
const ATTEMPTS = 2_000;
const LIMIT_MS = 240_000;

const WITH_CHILD = `
  const child = require("node:child_process").spawn(process.execPath, ["-e", "setInterval(() => {}, 1e6)"], { detached: true, stdio: "ignore" });
  child.on("spawn", () => process.stdout.write(child.pid + "\\n"));
  setInterval(() => {}, 1e6);
`;

test.skipIf(!ON_WINDOWS)(
  "F16 S6: whoever gets the pid of a process that has ended is neither signalled nor the parent of its children",
  async ({ skip }) => {
    const parent = spawn(process.execPath, ["-e", WITH_CHILD], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    const orphan = identityOf(Number(String((await once(parent.stdout, "data"))[0])));
    const gone = identityOf(parent.pid!);
    expect(readProcess(orphan.pid)?.ppid).toBe(gone.pid);
    parent.kill("SIGKILL");
    await once(parent, "close");

    const heir = await startUntil(gone.pid);
    if (heir !== undefined) {
      expect(livenessOf(gone)).toBe("gone");
      expect(killProven(gone, "SIGKILL")).toBe("gone");
      expect(readProcess(orphan.pid)?.ppid).toBe(0);
      expect(provenDescendants(identityOf(gone.pid)).map(({ pid }) => pid)).not.toContain(
        orphan.pid,
      );
      expect(livenessOf(identityOf(heir.pid!))).toBe("alive");
      await end(heir);
    }
    expect(killProven(orphan, "SIGKILL")).toBe("signalled");
    await eventually(() => livenessOf(orphan) === "gone", "the orphan ends");
    skip(heir === undefined, `the pid was not given again to any of ${ATTEMPTS} processes`);
  },
  LIMIT_MS,
);

/** Starts one process after the other, each of which waits, until one has that pid. */
async function startUntil(pid: number): Promise<ChildProcess | undefined> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    // It waits for the end of its input.
    const child = spawn("cmd.exe", ["/q"], { stdio: ["pipe", "ignore", "ignore"] });
    await once(child, "spawn");
    if (child.pid === pid) return child;
    await end(child);
  }
  return undefined;
}

async function end(child: ChildProcess): Promise<void> {
  child.kill("SIGKILL");
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}
