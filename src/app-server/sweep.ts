import { monotonicMs, pause } from "../base/deadline.ts";
import { trace } from "../base/trace.ts";
import type { ProcessEntry } from "../os/kernel/kernel.ts";
import { stillRuns } from "../os/process-tree.ts";
import { identityIn } from "../os/process-identity.ts";
import { killProven } from "../os/verified-kill.ts";
import type { Descendants } from "./descendants.ts";

export interface SweepReport {
  /** False where descendants cannot be told from strangers, so that nobody was looked for. */
  readonly supported: boolean;
  /** How many were still there. */
  readonly found: number;
  /** Pids of those that even SIGKILL did not end in time, or that may not be signalled. */
  readonly left: readonly number[];
}

const POLL_MS = 10;

/** Ends what is left of the app-server's descendants: SIGTERM, up to `graceMs`, SIGKILL, up to `graceMs`. */
export async function sweep(descendants: Descendants, graceMs: number): Promise<SweepReport> {
  if (!descendants.supported) return { supported: false, found: 0, left: [] };
  const found = new Set<number>();
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    const running = await descendants.findAll();
    for (const each of running) {
      found.add(each.pid);
      killProven(identityIn(each), signal);
    }
    await untilGone(running, graceMs);
  }
  const left = found.size === 0 ? [] : (await descendants.findAll()).map(({ pid }) => pid);
  if (found.size > 0) trace("warn", "appServer.swept", { found: [...found], left });
  return { supported: true, found: found.size, left };
}

async function untilGone(targets: readonly ProcessEntry[], graceMs: number): Promise<void> {
  const end = monotonicMs() + graceMs;
  while (targets.some(stillRuns) && monotonicMs() < end) await pause(POLL_MS);
}
