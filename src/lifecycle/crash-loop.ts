import type { EndedRecord } from "./epoch-file.ts";

/** This many crashes in a row, within this time, are no accident. */
const TOO_MANY = 5;
const WITHIN_MS = 3 * 60_000;
const FIRST_PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 5 * 60_000;
/** The system or a person sends these. A process that fails sends itself another one. */
const SENT_BY_OTHERS: ReadonlySet<string | null> = new Set([
  "SIGKILL",
  "SIGTERM",
  "SIGINT",
  "SIGHUP",
]);

export interface CrashLoop {
  /** How many in a row. */
  readonly count: number;
  /** Milliseconds until the next start is worth a try. */
  readonly waitMs: number;
  /** The newest first. */
  readonly reasons: readonly string[];
}

/**
 * Whether starting one more broker now would only repeat what has just failed, time and again.
 *
 * @param endings the newest first, without gaps.
 * @param jitter between 0 and 1: many who wait do not all come back at the same instant.
 * @param isOfOldCause whether what may have caused this end has changed since.
 */
export function crashLoopIn(
  endings: readonly EndedRecord[],
  now: number,
  jitter: number,
  isOfOldCause: (ending: EndedRecord) => boolean = () => false,
): CrashLoop | undefined {
  const other = endings.findIndex((ending) => !isCrash(ending) || isOfOldCause(ending));
  const row = other === -1 ? endings : endings.slice(0, other);
  const [newest] = row;
  const fifth = row[TOO_MANY - 1];
  if (newest === undefined || fifth === undefined) return undefined;
  const endedAt = Date.parse(newest.at);
  if (endedAt - Date.parse(fifth.at) > WITHIN_MS) return undefined;
  const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** (row.length - TOO_MANY), LONGEST_PAUSE_MS);
  const waitMs = endedAt + pauseMs * (0.75 + jitter / 2) - now;
  // A clock that was set back must not lock anybody out.
  if (waitMs <= 0 || waitMs > LONGEST_PAUSE_MS * 2) return undefined;
  return { count: row.length, waitMs: Math.ceil(waitMs), reasons: row.map(({ reason }) => reason) };
}

/**
 * Whether the next start is likely to fail in the same way: the broker could not begin to serve, or its
 * app-server exited by itself. One that was killed or silent says nothing about the next one.
 */
export function isCrash({ abnormal, error, exit, instance }: EndedRecord): boolean {
  if (!abnormal) return false;
  if (error !== null || instance === undefined) return true;
  return exit !== null && exit.code !== 0 && !SENT_BY_OTHERS.has(exit.signal);
}
