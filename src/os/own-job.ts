import { trace } from "../base/trace.ts";
import { bindNative } from "./kernel/koffi.ts";
import {
  bindJobs,
  BREAKAWAY_OK,
  KILL_ON_CLOSE,
  SILENT_BREAKAWAY_OK,
  type JobCalls,
} from "./kernel/win32-job.ts";

/** How this process and others are tied together by jobs of Windows; without koffi nothing is known. */
export interface Ties {
  /** The program that started it, or one above, takes it along when it ends. */
  readonly endsWithHost: boolean;
  /** Whatever it starts from now on ends with it, however either of them ends. */
  readonly holdsTree: boolean;
}

/**
 * On Windows: puts this process into a job of its own, which ends with it. What the app-server starts is
 * born into it and cannot be left behind; only who asks to be let out is, as a broker must be that a
 * command in the tree starts for another workspace.
 */
export function enterOwnJob(): Ties {
  const calls = process.platform === "win32" ? bindNative(bindJobs) : undefined;
  return calls === undefined ? { endsWithHost: false, holdsTree: false } : enter(calls);
}

export function enter(calls: JobCalls): Ties {
  // Looked at before, because afterwards it is our own job that answers.
  const endsWithHost = takesAlong(calls.limitsOfOwnJob());
  const ties = { endsWithHost, holdsTree: calls.enterNewJob(KILL_ON_CLOSE | BREAKAWAY_OK) };
  trace("info", "job.entered", ties);
  return ties;
}

/** Whether a child may be started outside of a job that would take it along, and is not so anyway. */
export function mayLeave(limits: number | undefined): boolean {
  if (limits === undefined || !takesAlong(limits)) return false;
  return (limits & (BREAKAWAY_OK | SILENT_BREAKAWAY_OK)) === BREAKAWAY_OK;
}

function takesAlong(limits: number | undefined): boolean {
  return limits !== undefined && (limits & KILL_ON_CLOSE) !== 0;
}
