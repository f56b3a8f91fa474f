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
const tickMs = Math.min(TICK_MS, order.askEveryMs);
let obituary = order.obituary;
let unansweredMs = 0;
let asked = false;
let endWithinMs = Number.POSITIVE_INFINITY;
let timer = setTimeout(ask, order.askEveryMs);

parentPort?.on("message", (message: WatchdogMessage) => {
  if (message.kind === "ending") {
    endWithinMs = message.withinMs;
  } else {
    obituary = message.obituary;
    asked = false;
    unansweredMs = 0;
  }
  // Nothing is counted before the next question, so nothing has to wake up before it.
  if (endWithinMs === Number.POSITIVE_INFINITY) next(ask, order.askEveryMs);
  else next(tick, tickMs);
});

function next(step: () => void, ms: number): void {
  clearTimeout(timer);
  timer = setTimeout(step, ms);
}

function ask(): void {
  asked = true;
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port has no origin
  parentPort?.postMessage("alive?");
  next(tick, tickMs);
}

function tick(): void {
  endWithinMs -= tickMs;
  if (endWithinMs < 0) end("its shutdown did not come to an end");
  if (asked) unansweredMs += tickMs;
  if (unansweredMs >= order.stuckAfterMs) end(`its event loop hung for ${unansweredMs} ms`);
  if (asked) next(tick, tickMs);
  else ask();
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
