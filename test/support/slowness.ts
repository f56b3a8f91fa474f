import { spawn } from "node:child_process";
import { once } from "node:events";

/** What a machine with nothing else to do needs at most from a signal to the exit event. */
const QUIET_MS = 15;
const TRIES = 5;

/**
 * Returns by what factor this machine is slower just now than a quiet one, at least 1. A test of a time
 * that users rely on multiplies its bound by it, so that the bound stays as it is on a quiet machine.
 */
export async function slowness(): Promise<number> {
  let worst = QUIET_MS;
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    const child = spawn(process.execPath, ["-e", "process.stdin.resume()"], {
      stdio: ["pipe", "ignore", "ignore"],
    });
    await once(child, "spawn");
    const at = performance.now();
    child.kill("SIGKILL");
    await once(child, "exit");
    worst = Math.max(worst, performance.now() - at);
  }
  return worst / QUIET_MS;
}
