import { pause } from "../base/deadline.ts";
import { trace } from "../base/trace.ts";
import type { AppServerChild, AppServerExit } from "./child.ts";
import { sweep, type SweepReport } from "./sweep.ts";

/** In milliseconds. */
export interface StopLimits {
  readonly stdinGraceMs: number;
  readonly termGraceMs: number;
  readonly killWaitMs: number;
  readonly sweepGraceMs: number;
}

export const STOP_LIMITS: StopLimits = {
  /** A healthy one is gone 20 to 43 ms after the end of its stdin; the rest is for slow MCP servers that it ends first. */
  stdinGraceMs: 3_000,
  /** Here only when it no longer reads its stdin; one that hangs ignores this too, so waiting longer gains nothing. */
  termGraceMs: 2_000,
  /** The kernel needs no grace, only time; longer means that the process is stuck inside the kernel. */
  killWaitMs: 2_000,
  /** Given twice. Descendants have already lost the app-server, which is what most of them end by. */
  sweepGraceMs: 500,
};

export type StopStep = "alreadyEnded" | "stdin" | "SIGTERM" | "SIGKILL" | "nothing";

export interface StopReport {
  /** What ended it; `nothing` when not even SIGKILL did in time. */
  readonly endedBy: StopStep;
  /** Null when it has not ended. */
  readonly exit: AppServerExit | null;
  readonly sweep: SweepReport;
}

const underWay = new WeakMap<AppServerChild, Promise<StopReport>>();

/**
 * Ends the app-server, then what is left of its descendants. Stdin is closed first, because that is
 * the only way on which it ends its MCP servers itself. Turns should have ended before: they are cut.
 *
 * Takes at most the sum of the limits, never rejects, and does it once however often it is called.
 */
export function stopAppServer(
  child: AppServerChild,
  limits: StopLimits = STOP_LIMITS,
): Promise<StopReport> {
  const known = underWay.get(child);
  if (known !== undefined) return known;
  const report = stop(child, limits);
  underWay.set(child, report);
  return report;
}

async function stop(child: AppServerChild, limits: StopLimits): Promise<StopReport> {
  const endedBy = child.exit === undefined ? await descend(child, limits) : "alreadyEnded";
  const report: StopReport = {
    endedBy,
    exit: child.exit ?? null,
    sweep: await sweep(child.descendants, limits.sweepGraceMs),
  };
  trace(endedBy === "stdin" || endedBy === "alreadyEnded" ? "info" : "warn", "appServer.stopped", {
    pid: child.pid,
    ...report,
  });
  return report;
}

async function descend(child: AppServerChild, limits: StopLimits): Promise<StopStep> {
  child.descendants.note();
  child.end();
  if (await endsWithin(child, limits.stdinGraceMs)) return "stdin";

  child.kill("SIGTERM");
  if (await endsWithin(child, limits.termGraceMs)) return "SIGTERM";

  // Those born since would have no parent to be found by any more.
  child.descendants.note();
  child.kill("SIGKILL");
  if (await endsWithin(child, limits.killWaitMs)) return "SIGKILL";
  return "nothing";
}

async function endsWithin(child: AppServerChild, ms: number): Promise<boolean> {
  const ended = new AbortController();
  void child.exited.then(() => ended.abort());
  await pause(ms, ended.signal);
  return ended.signal.aborted;
}
