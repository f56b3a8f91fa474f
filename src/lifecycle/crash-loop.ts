import type { EndedRecord } from "./epoch-file.ts";

/** This many abnormal ends in a row, within this time, are no accident. */
const TOO_MANY = 5;
const WITHIN_MS = 3 * 60_000;
const FIRST_PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 5 * 60_000;

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
 */
export function crashLoopIn(
  endings: readonly EndedRecord[],
  now: number,
  jitter: number,
): CrashLoop | undefined {
  const normal = endings.findIndex((ending) => !ending.abnormal);
  const row = normal === -1 ? endings : endings.slice(0, normal);
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
