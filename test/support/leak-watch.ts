import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import { CAN_SEE_PROCESSES, type MarkedProcess, markedProcesses } from "./marked-processes.ts";
import { pidsInWorkerJob } from "./worker-job.ts";
import { everOwnedPaths, ownedPaths } from "./owned-paths.ts";

/**
 * The variable by which the descendants of a suite are known, detached ones and orphans too. A broker
 * inherits it only under a name that the rules for the environment pass on.
 */
export const MARK = "BROKER_TEST_MARK";

/** What is just ending gets so long to be gone. */
const PATIENCE_MS = 5_000;
const PAUSE_MS = 50;

/** Sees what a stretch of the test process leaves behind: processes and paths. */
export class LeakWatch {
  readonly #value = randomUUID();
  readonly #outer = process.env[MARK];
  readonly #pathsBefore = everOwnedPaths().length;
  readonly #patienceMs: number;
  readonly #inJobBefore: ReadonlySet<number>;

  /** From here on, what is started inherits the mark. */
  constructor(patienceMs: number = PATIENCE_MS) {
    this.#patienceMs = patienceMs;
    process.env[MARK] = this.#value;
    this.#inJobBefore = new Set(pidsInWorkerJob());
  }

  /**
   * Waits for what is ending, then ends the processes that are left, and tells what there was, one line each. Nothing to
   * tell: nothing leaked.
   */
  async finish(): Promise<readonly string[]> {
    if (this.#outer === undefined) delete process.env[MARK];
    else process.env[MARK] = this.#outer;

    const givesUpAt = performance.now() + this.#patienceMs;
    let processes = await this.#processes();
    let paths = this.#paths();
    while (processes.length + paths.length > 0 && performance.now() < givesUpAt) {
      await sleep(PAUSE_MS);
      processes = await this.#processes();
      paths = this.#paths();
    }
    // Looked up a moment ago by a value that nobody else has, so these are no strangers.
    for (const { pid } of processes) end(pid);
    return [
      ...processes.map(({ pid, commandLine }) => `process ${pid} is still alive: ${commandLine}`),
      ...paths.map((path) => `${path} still exists`),
    ];
  }

  async #processes(): Promise<readonly MarkedProcess[]> {
    const inJob = pidsInWorkerJob();
    if (inJob !== undefined) {
      return inJob
        .filter((pid) => pid !== process.pid && !this.#inJobBefore.has(pid))
        .map((pid) => ({ pid, commandLine: "what it was started with is not known" }));
    }
    if (!CAN_SEE_PROCESSES) return [];
    const dirs = everOwnedPaths().slice(this.#pathsBefore);
    return await markedProcesses({ variable: `${MARK}=${this.#value}`, dirs });
  }

  #paths(): readonly string[] {
    const before = new Set(everOwnedPaths().slice(0, this.#pathsBefore));
    return ownedPaths().filter((path) => !before.has(path) && existsSync(path));
  }
}

function end(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}
