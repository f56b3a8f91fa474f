import { readdir } from "node:fs/promises";
import path from "node:path";
import { errnoOf, messageOf } from "../base/errors.ts";
import { mapAtMost } from "../base/map-at-most.ts";
import { unusable } from "../os/private-directory.ts";
import { jobIn, type Job } from "./job.ts";
import { readEnds } from "./journal-ends.ts";

const SET_ASIDE = ".damaged";
const JOURNAL = /^([2-9b-z]{8})\.jsonl$/;
/** How files of jobs are called, those that were set aside among them. */
export const FILE_OF_JOB = /^[2-9b-z]{8}\.(?:jsonl|damaged)$/;

/** Journals that are read at the same time: Node has four threads for all files. */
const READ_AT_ONCE = 8;

export type JobReading =
  | { readonly state: "read"; readonly id: string; readonly job: Job }
  | {
      readonly state: "unreadable";
      readonly id: string;
      readonly why: string;
      /** There is a journal, and it has no beginning. False where it could not be read now. */
      readonly damaged: boolean;
    };

/** Where the jobs of a scope are kept. */
export function jobsDirectory(scopeDir: string): string {
  return path.join(scopeDir, "jobs");
}

export function journalPath(directory: string, id: string): string {
  return path.join(directory, `${id}.jsonl`);
}

export function setAsidePath(directory: string, id: string): string {
  return path.join(directory, `${id}${SET_ASIDE}`);
}

/**
 * Reads every job of the scope, the newest first. One that cannot be read hides no other. The cost
 * does not grow with the size of the journals.
 *
 * @throws BrokerError `stateDirUnusable` when the directory is there but cannot be read.
 */
export async function readJobs(directory: string): Promise<JobReading[]> {
  const ids = await idsIn(directory);
  const readings = await mapAtMost(READ_AT_ONCE, ids, (id) => readJob(directory, id));
  return readings
    .filter((reading) => reading !== undefined)
    .toSorted((a, b) => createdAt(b).localeCompare(createdAt(a)));
}

/** Undefined when there is no such job. Never rejects. */
export async function readJob(directory: string, id: string): Promise<JobReading | undefined> {
  try {
    const { entries, begun } = await readEnds(journalPath(directory, id));
    const job = jobIn(entries);
    if (job !== undefined) return { state: "read", id, job };
    const why = begun
      ? "another version of codex-broker has written it"
      : "its journal does not begin as one does";
    return { state: "unreadable", id, why, damaged: !begun };
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    return { state: "unreadable", id, why: messageOf(error), damaged: false };
  }
}

/** What was set aside in the jobs' directory. */
export async function listSetAside(directory: string): Promise<string[]> {
  return (await namesIn(directory))
    .filter((name) => name.endsWith(SET_ASIDE))
    .map((name) => path.join(directory, name));
}

/** @throws BrokerError `stateDirUnusable`. */
export async function idsIn(directory: string): Promise<string[]> {
  return (await namesIn(directory)).flatMap((name) => JOURNAL.exec(name)?.[1] ?? []);
}

function createdAt(reading: JobReading): string {
  return reading.state === "read" ? reading.job.createdAt : "";
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT") return [];
    throw unusable(directory, cause);
  }
}
