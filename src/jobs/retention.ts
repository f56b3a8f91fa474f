import { rename, stat, unlink } from "node:fs/promises";
import { errnoOf } from "../base/errors.ts";
import { unusable } from "../os/private-directory.ts";
import { idsIn, journalPath, readJob, setAsidePath } from "./job-directory.ts";

/** What has ended is kept for so long, and so many of it, whoever has come and gone meanwhile. */
const KEPT_FOR_MS = 30 * 24 * 3_600_000;
const KEPT_JOBS = 500;

/** The first line of a journal is written at once. */
const BEGUN_WITHIN_MS = 60_000;

export interface Retention {
  readonly now: number;
  /** The instances of brokers that may still run jobs. Called after the journals have been read. */
  readonly living: () => ReadonlySet<string>;
  readonly keptForMs?: number;
  readonly keptJobs?: number;
}

/**
 * Removes the journals of jobs that ended long ago, and of the oldest where there are too many. A job
 * without an end has ended with its broker; while that may live, its journal is never removed.
 *
 * Only the journals that their time of change makes candidates are read, and of them both ends.
 *
 * @returns the ids of the removed jobs.
 * @throws BrokerError `stateDirUnusable`.
 */
export async function removeOldJobs(directory: string, retention: Retention): Promise<string[]> {
  const { now, living, keptForMs = KEPT_FOR_MS, keptJobs = KEPT_JOBS } = retention;
  const journals = (await changesIn(directory)).toSorted((a, b) => b.changedAt - a.changedAt);
  const candidates = [];
  for (const [index, { id, changedAt }] of journals.entries()) {
    const surplus = index >= keptJobs;
    if (!surplus && now - changedAt < keptForMs) continue;
    const reading = await readJob(directory, id);
    if (reading?.state === "read") candidates.push({ id, job: reading.job, surplus });
  }
  if (candidates.length === 0) return [];
  // After the reading, because a broker has its record before it has a job.
  const mayRun = living();
  const removed: string[] = [];
  for (const { id, job, surplus } of candidates) {
    if (job.end === null && mayRun.has(job.instance)) continue;
    const endedAt = Date.parse(job.end?.at ?? job.lastEntryAt);
    if (!surplus && now - endedAt < keptForMs) continue;
    if (await removeJournal(directory, id)) removed.push(id);
  }
  return removed;
}

/**
 * Renames journals without a beginning, so that lists do not show them as jobs. A journal that is
 * being begun has a moment; a journal that cannot be read now stays.
 *
 * @param sound ids whose beginning is known to be sound. They are not read, and new ones are added.
 * @returns the new paths.
 * @throws BrokerError `stateDirUnusable`.
 */
export async function setDamagedAside(
  directory: string,
  now: number,
  sound: Set<string> = new Set(),
): Promise<string[]> {
  const aside: string[] = [];
  for (const { id, changedAt } of await changesIn(directory)) {
    if (sound.has(id) || now - changedAt < BEGUN_WITHIN_MS) continue;
    const reading = await readJob(directory, id);
    if (reading?.state === "read") sound.add(id);
    if (reading?.state !== "unreadable" || !reading.damaged) continue;
    const path = setAsidePath(directory, id);
    if (await moved(journalPath(directory, id), path)) aside.push(path);
  }
  return aside;
}

interface Change {
  readonly id: string;
  readonly changedAt: number;
}

/** One after the other, so that other work of this process finds a free thread. */
async function changesIn(directory: string): Promise<Change[]> {
  const changes: Change[] = [];
  for (const id of await idsIn(directory)) {
    try {
      changes.push({ id, changedAt: (await stat(journalPath(directory, id))).mtimeMs });
    } catch {
      // It was removed, or cannot be looked at now.
    }
  }
  return changes;
}

async function removeJournal(directory: string, id: string): Promise<boolean> {
  const path = journalPath(directory, id);
  try {
    await unlink(path);
    return true;
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT") return false;
    throw unusable(path, cause);
  }
}

async function moved(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (cause) {
    // Another process was faster.
    if (errnoOf(cause) === "ENOENT") return false;
    throw unusable(from, cause);
  }
}
