import type { JobRequest, Outcome } from "../wire/job-protocol.ts";
import { decodeEntry, type JobEntry, type Resolved } from "./job-entry.ts";

/** A job as its journal tells it. Whether one that has not ended still runs only its broker knows. */
export interface Job {
  readonly id: string;
  /** The broker that owns it. */
  readonly epoch: number;
  readonly instance: string;
  readonly request: JobRequest;
  readonly createdAt: string;
  readonly startedAt: string | null;
  readonly threadId: string | null;
  readonly turnId: string | null;
  readonly resolved: Resolved | null;
  readonly items: readonly unknown[];
  readonly usage: unknown;
  /** Of the newest entry. */
  readonly lastEntryAt: string;
  readonly end: {
    readonly at: string;
    readonly outcome: Outcome;
    readonly message: string;
    readonly error: unknown;
  } | null;
  /** Whole lines that are no entries: somebody else has written there. */
  readonly damagedLines: number;
}

/**
 * A journal as far as it goes. Its writer may have been killed in the middle of a line: what has no
 * line feed yet is not there.
 *
 * @returns undefined where not even the beginning can be read.
 */
export function jobIn(text: string): Job | undefined {
  const lines = text.split("\n").slice(0, -1);
  const entries = lines.flatMap((line) => decodeEntry(line) ?? []);
  const [created] = entries;
  if (created?.type !== "created") return undefined;
  const started = firstOf(entries, "started");
  const ended = firstOf(entries, "ended");
  return {
    id: created.job,
    epoch: created.epoch,
    instance: created.instance,
    request: created.request,
    createdAt: created.at,
    startedAt: started?.at ?? null,
    threadId: started?.threadId ?? created.request.threadId,
    turnId: started?.turnId ?? null,
    resolved: started?.resolved ?? null,
    items: entries.flatMap((entry) => (entry.type === "item" ? [entry.item] : [])),
    usage: entries.findLast((entry) => entry.type === "usage")?.usage ?? null,
    lastEntryAt: entries.at(-1)!.at,
    end:
      ended === undefined
        ? null
        : { at: ended.at, outcome: ended.outcome, message: ended.message, error: ended.error },
    damagedLines: lines.length - entries.length,
  };
}

function firstOf<T extends JobEntry["type"]>(
  entries: readonly JobEntry[],
  type: T,
): Extract<JobEntry, { type: T }> | undefined {
  return entries.find((entry): entry is Extract<JobEntry, { type: T }> => entry.type === type);
}
