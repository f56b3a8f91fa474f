import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import type { EndedRecord } from "../lifecycle/epoch-file.ts";

export interface WatchdogOrder {
  /** The epoch file. */
  readonly file: string;
  readonly obituary: EndedRecord;
  readonly askEveryMs: number;
  readonly stuckAfterMs: number;
}

export type WatchdogMessage =
  | { readonly kind: "alive"; readonly obituary: EndedRecord }
  | { readonly kind: "ending"; readonly withinMs: number };

/** Waits are counted in ticks of this thread, so that a suspended machine does not count. */
const TICK_MS = 1_000;

const order = workerData as WatchdogOrder;
let obituary = order.obituary;
let unansweredMs = 0;
let sinceAskedMs = 0;
let asked = false;
let endWithinMs = Number.POSITIVE_INFINITY;

parentPort?.on("message", (message: WatchdogMessage) => {
  if (message.kind === "ending") {
    endWithinMs = message.withinMs;
    return;
  }
  obituary = message.obituary;
  asked = false;
  unansweredMs = 0;
  sinceAskedMs = 0;
});

// Nobody is asked more often than needed: between two questions only this thread wakes up.
setInterval(tick, Math.min(TICK_MS, order.askEveryMs));

function tick(): void {
  const step = Math.min(TICK_MS, order.askEveryMs);
  endWithinMs -= step;
  if (endWithinMs < 0) end("its shutdown did not come to an end");
  if (asked) {
    unansweredMs += step;
    if (unansweredMs >= order.stuckAfterMs) end(`its event loop hung for ${unansweredMs} ms`);
    return;
  }
  sinceAskedMs += step;
  if (sinceAskedMs < order.askEveryMs) return;
  asked = true;
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port has no origin
  parentPort?.postMessage("alive?");
}

function end(reason: string): never {
  try {
    const now = JSON.parse(readFileSync(order.file, "utf8")) as { token?: unknown };
    if (now.token === obituary.token) {
      const aside = `${order.file}.watchdog.tmp`;
      const text = JSON.stringify({ ...obituary, reason, at: new Date().toISOString() }, null, 2);
      writeFileSync(aside, `${text}\n`, { mode: 0o600 });
      renameSync(aside, order.file);
    }
  } finally {
    process.kill(process.pid, "SIGKILL");
  }
  throw new Error("unreachable");
}
