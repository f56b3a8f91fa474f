import { readdir, readFile, rmdir, stat, unlink } from "node:fs/promises";
import path from "node:path";
import { errnoOf } from "../base/errors.ts";
import { trace } from "../base/trace.ts";
import { FILE_OF_JOB, jobsDirectory } from "../jobs/job-directory.ts";
import {
  decodeEpoch,
  epochLogPath,
  epochPath,
  type EndedRecord,
  type ServingRecord,
} from "../lifecycle/epoch-file.ts";
import type { Scope } from "../lifecycle/scope.ts";
import { livenessOf } from "../os/process-identity.ts";

const DAY_MS = 24 * 3_600_000;
/** Logs and all records but the newest, which says whose the jobs are. */
export const RECORDS_KEPT_MS = 30 * DAY_MS;
/** Everything. */
export const JOBS_KEPT_MS = 90 * DAY_MS;

const SCOPE_NAME = /^[0-9a-f]{32}$/;
const EPOCH_NAME = /^([1-9]\d{0,14})\.json$/;
const FIGURES = "figures.json";

/**
 * Removes what brokers of other scopes have left whose workspace is gone, or whose scope was private: a
 * month after the last change the logs, after three months the jobs and the directory. A directory that
 * may have a living broker, or is of another host or container, stays. Files are removed by their names.
 */
export async function ageOutScopes(own: Scope, now: number = Date.now()): Promise<void> {
  const format = path.dirname(own.directory);
  for (const name of await namesIn(format)) {
    const directory = path.join(format, name);
    if (!SCOPE_NAME.test(name) || directory === own.directory) continue;
    try {
      await ageOut(directory, own, now);
    } catch (error) {
      trace("info", "scope.notAged", { directory, error: String(error) });
    }
  }
}

async function ageOut(directory: string, own: Scope, now: number): Promise<void> {
  const epochs = await epochsIn(directory);
  const ageMs = now - Math.max(0, ...epochs.map(({ changedAt }) => changedAt));
  if (epochs.length === 0 || ageMs < RECORDS_KEPT_MS) return;
  if (!epochs.every(({ isOver }) => isOver)) return;
  const facts = epochs.find(({ served }) => served !== undefined)?.served;
  if (facts === undefined || !isOfThisPlace(facts, own)) return;
  if (facts.private !== true && !(await isGone(facts.workspace ?? "/"))) return;

  const [newest, ...older] = epochs;
  if (newest === undefined) return;
  for (const { epoch } of older) await remove(epochPath(directory, epoch));
  for (const { epoch } of epochs) await remove(epochLogPath(directory, epoch));
  if (ageMs < JOBS_KEPT_MS) return;
  const jobs = jobsDirectory(directory);
  for (const name of await namesIn(jobs)) {
    if (FILE_OF_JOB.test(name)) await remove(path.join(jobs, name));
  }
  await removeEmpty(jobs);
  await remove(path.join(directory, FIGURES));
  await remove(epochPath(directory, newest.epoch));
  await removeEmpty(directory);
  trace("info", "scope.agedOut", { directory });
}

interface Epoch {
  readonly epoch: number;
  readonly changedAt: number;
  /** It has ended, or its process is proven gone. */
  readonly isOver: boolean;
  readonly served: ServingRecord | EndedRecord | undefined;
}

/** The newest first. A file that cannot be read may be of a living broker. */
async function epochsIn(directory: string): Promise<Epoch[]> {
  const numbers = (await namesIn(directory)).flatMap((name) => EPOCH_NAME.exec(name)?.[1] ?? []);
  const epochs = numbers.map(Number).map(async (epoch): Promise<Epoch> => {
    const file = epochPath(directory, epoch);
    const [text, { mtimeMs: changedAt }] = await Promise.all([readFile(file, "utf8"), stat(file)]);
    const reading = decodeEpoch(epoch, text);
    if (reading.state !== "read" || reading.record.state === "claimed") {
      return { epoch, changedAt, isOver: false, served: undefined };
    }
    const { record } = reading;
    const isOver = record.state === "ended" || livenessOf(record.broker) === "gone";
    return { epoch, changedAt, isOver, served: record.broker === undefined ? undefined : record };
  });
  return (await Promise.all(epochs)).toSorted((a, b) => b.epoch - a.epoch);
}

/** By inode: devices are numbered anew at each boot. */
function isOfThisPlace({ place }: ServingRecord | EndedRecord, own: Scope): boolean {
  const inodeOf = (fileId: string | null): string | undefined => fileId?.split(":")[1];
  if (place === undefined || place.host !== own.place.host) return false;
  return inodeOf(place.system) === inodeOf(own.place.system);
}

async function isGone(workspace: string): Promise<boolean> {
  try {
    await stat(workspace);
    return false;
  } catch (error) {
    return ["ENOENT", "ENOTDIR"].includes(errnoOf(error) ?? "");
  }
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw error;
  }
}

async function remove(file: string): Promise<void> {
  try {
    await unlink(file);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
  }
}

/** Something of another program may be in it; then it stays. */
async function removeEmpty(directory: string): Promise<void> {
  try {
    await rmdir(directory);
  } catch (error) {
    trace("info", "scope.notEmpty", { directory, error: String(error) });
  }
}
