import type { JobRequest, Outcome } from "../wire/job-protocol.ts";
import type { Shortfalls } from "../wire/shortfalls.ts";
import type { JobEntry, Resolved } from "./job-entry.ts";

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
  readonly usage: unknown;
  /** Of the newest entry. */
  readonly lastEntryAt: string;
  readonly end: {
    readonly at: string;
    readonly outcome: Outcome;
    readonly message: string;
    readonly error: unknown;
    readonly shortfalls: Shortfalls;
  } | null;
}

/**
 * Returns the job that these entries describe: the first and the last ones of its journal, or all.
 * Undefined without the `created` entry.
 */
export function jobIn(entries: readonly JobEntry[]): Job | undefined {
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
    usage: entries.findLast((entry) => entry.type === "usage")?.usage ?? null,
    lastEntryAt: entries.at(-1)!.at,
    end: ended === undefined ? null : endOf(ended),
  };
}

function endOf(ended: Extract<JobEntry, { type: "ended" }>): NonNullable<Job["end"]> {
  const { at, outcome, message, error } = ended;
  const { declined = [], failedMcpServers = [], unfinishedSubAgents = [] } = ended;
  const shortfalls = { declined, failedMcpServers, unfinishedSubAgents };
  return { at, outcome, message, error, shortfalls };
}

function firstOf<T extends JobEntry["type"]>(
  entries: readonly JobEntry[],
  type: T,
): Extract<JobEntry, { type: T }> | undefined {
  return entries.find((entry): entry is Extract<JobEntry, { type: T }> => entry.type === type);
}
