import path from "node:path";
import { Worker } from "node:worker_threads";
import type { EndedRecord } from "../lifecycle/epoch-file.ts";
import { trace } from "../base/trace.ts";
import type { WatchdogMessage, WatchdogOrder } from "./watchdog-thread.ts";

/**
 * Longer than any step of ours by far; a machine that was asleep does not count, because the thread
 * that counts was asleep with it.
 */
const STUCK_AFTER_MS = 30_000;
const ASK_EVERY_MS = 10_000;

/**
 * Ends this process when its event loop hangs, from a thread that hangs with nothing: a timer of the
 * loop could not. Also bounds the shutdown.
 */
export class Watchdog {
  readonly #worker: Worker | undefined;

  constructor(file: string, obituary: () => EndedRecord, limits: Partial<WatchdogOrder> = {}) {
    this.#worker = tryToStart({
      file,
      obituary: obituary(),
      askEveryMs: ASK_EVERY_MS,
      stuckAfterMs: STUCK_AFTER_MS,
      ...limits,
    });
    // The answer is given by the loop: a loop that hangs gives none.
    this.#worker?.on("message", () => this.#post({ kind: "alive", obituary: obituary() }));
    this.#worker?.unref();
  }

  /** From now on the process has this long to end. */
  boundShutdown(withinMs: number): void {
    this.#post({ kind: "ending", withinMs });
  }

  close(): void {
    void this.#worker?.terminate();
  }

  #post(message: WatchdogMessage): void {
    this.#worker?.postMessage(message);
  }
}

function tryToStart(order: WatchdogOrder): Worker | undefined {
  try {
    const worker = new Worker(path.join(import.meta.dirname, "watchdog-thread.cjs"), {
      workerData: order,
      env: {},
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 2, stackSizeMb: 1 },
    });
    worker.on("error", (error) => trace("warn", "watchdog.failed", { error: String(error) }));
    return worker;
  } catch (error) {
    trace("warn", "watchdog.absent", { error: String(error) });
    return undefined;
  }
}
