import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { errnoOf, messageOf } from "../base/errors.ts";
import { removeIfThere } from "../os/atomic-file.ts";
import { unusable } from "../os/private-directory.ts";
import { jobIn, type Job } from "./job.ts";

/** What has ended is kept for so long, and so many of it, whoever has come and gone meanwhile. */
const KEPT_FOR_MS = 30 * 24 * 3_600_000;
const KEPT_JOBS = 500;

/** How the journal of a job is called. */
export const JOURNAL = /^([2-9b-z]{8})\.jsonl$/;

export type JobReading =
  | { readonly state: "read"; readonly id: string; readonly job: Job }
  | { readonly state: "unreadable"; readonly id: string; readonly why: string };

/** Where the jobs of a scope are kept. */
export function jobsDirectory(scopeDir: string): string {
  return path.join(scopeDir, "jobs");
}

export function journalPath(directory: string, id: string): string {
  return path.join(directory, `${id}.jsonl`);
}

/**
 * Every job of the scope, the newest first. One that cannot be read hides no other.
 *
 * @throws BrokerError `stateDirUnusable` when the directory is there but cannot be read.
 */
export function readJobs(directory: string): JobReading[] {
  return idsIn(directory)
    .flatMap((id) => readJob(directory, id) ?? [])
    .toSorted((a, b) => createdAt(b).localeCompare(createdAt(a)));
}

/** Undefined when there is no such job. */
export function readJob(directory: string, id: string): JobReading | undefined {
  try {
    const job = jobIn(readFileSync(journalPath(directory, id), "utf8"));
    if (job !== undefined) return { state: "read", id, job };
    return { state: "unreadable", id, why: "its journal does not begin as one does" };
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    return { state: "unreadable", id, why: messageOf(error) };
  }
}

/**
 * Removes the journals of jobs that ended long ago, and of the oldest where there are too many. One
 * that has no end is never removed.
 *
 * @returns the ids of what was removed.
 */
export function removeOldJobs(
  directory: string,
  now: number,
  limits: { readonly keptForMs?: number; readonly keptJobs?: number } = {},
): string[] {
  const { keptForMs = KEPT_FOR_MS, keptJobs = KEPT_JOBS } = limits;
  const ended = readJobs(directory).flatMap((reading) =>
    reading.state === "read" && reading.job.end !== null
      ? [{ id: reading.id, endedAt: Date.parse(reading.job.end.at) }]
      : [],
  );
  const old = ended.filter(({ endedAt }, index) => index >= keptJobs || now - endedAt > keptForMs);
  for (const { id } of old) removeIfThere(journalPath(directory, id));
  return old.map(({ id }) => id);
}

function createdAt(reading: JobReading): string {
  return reading.state === "read" ? reading.job.createdAt : "";
}

function idsIn(directory: string): string[] {
  try {
    return readdirSync(directory).flatMap((name) => JOURNAL.exec(name)?.[1] ?? []);
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT") return [];
    throw unusable(directory, cause);
  }
}
