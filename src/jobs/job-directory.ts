import { readdirSync, readFileSync, renameSync, statSync } from "node:fs";
import path from "node:path";
import { errnoOf, messageOf } from "../base/errors.ts";
import { removeIfThere } from "../os/atomic-file.ts";
import { unusable } from "../os/private-directory.ts";
import { jobIn, type Job } from "./job.ts";

/** What has ended is kept for so long, and so many of it, whoever has come and gone meanwhile. */
const KEPT_FOR_MS = 30 * 24 * 3_600_000;
const KEPT_JOBS = 500;

/** The first line of a journal is written at once. */
const BEGUN_WITHIN_MS = 60_000;
const SET_ASIDE = ".damaged";
const JOURNAL = /^([2-9b-z]{8})\.jsonl$/;
/** How files of jobs are called, those that were set aside among them. */
export const FILE_OF_JOB = /^[2-9b-z]{8}\.(?:jsonl|damaged)$/;

export type JobReading =
  | { readonly state: "read"; readonly id: string; readonly job: Job }
  | {
      readonly state: "unreadable";
      readonly id: string;
      readonly why: string;
      /** There is a journal, and it has no beginning. */
      readonly damaged: boolean;
    };

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
    const why = "its journal does not begin as one does";
    return { state: "unreadable", id, why, damaged: true };
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    return { state: "unreadable", id, why: messageOf(error), damaged: false };
  }
}

export interface Retention {
  readonly now: number;
  /** The instances of brokers that may still run jobs. Asked for when the journals have been read. */
  readonly living: () => ReadonlySet<string>;
  readonly keptForMs?: number;
  readonly keptJobs?: number;
}

/**
 * Removes the journals of jobs that ended long ago, and of the oldest where there are too many. One
 * without an end has ended with its broker; while that may live, it is never removed.
 *
 * @returns the ids of what was removed.
 */
export function removeOldJobs(directory: string, retention: Retention): string[] {
  const { now, living, keptForMs = KEPT_FOR_MS, keptJobs = KEPT_JOBS } = retention;
  const readings = readJobs(directory);
  // Afterwards: the broker of a job that has been read had its record before it had the job.
  const mayRun = living();
  const ended = readings.flatMap((reading) => {
    if (reading.state === "unreadable") return [];
    const { end, instance, lastEntryAt } = reading.job;
    if (end === null && mayRun.has(instance)) return [];
    return [{ id: reading.id, endedAt: Date.parse(end?.at ?? lastEntryAt) }];
  });
  const old = ended.filter(({ endedAt }, index) => index >= keptJobs || now - endedAt >= keptForMs);
  for (const { id } of old) removeIfThere(journalPath(directory, id));
  return old.map(({ id }) => id);
}

/**
 * Journals without a beginning are nobody's job: they get another name, under which they stay. One
 * that is being begun has a moment.
 *
 * @returns where they are now.
 */
export function setDamagedAside(directory: string, now: number): string[] {
  return readJobs(directory).flatMap((reading) => {
    if (reading.state === "read" || !reading.damaged) return [];
    const file = journalPath(directory, reading.id);
    const aside = path.join(directory, `${reading.id}${SET_ASIDE}`);
    try {
      if (now - statSync(file).mtimeMs < BEGUN_WITHIN_MS) return [];
      renameSync(file, aside);
      return [aside];
    } catch (error) {
      // Somebody else was faster.
      if (errnoOf(error) === "ENOENT") return [];
      throw unusable(file, error);
    }
  });
}

/** What was set aside in the jobs' directory. */
export function listSetAside(directory: string): string[] {
  return namesIn(directory)
    .filter((name) => name.endsWith(SET_ASIDE))
    .map((name) => path.join(directory, name));
}

function createdAt(reading: JobReading): string {
  return reading.state === "read" ? reading.job.createdAt : "";
}

function idsIn(directory: string): string[] {
  return namesIn(directory).flatMap((name) => JOURNAL.exec(name)?.[1] ?? []);
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT") return [];
    throw unusable(directory, cause);
  }
}
