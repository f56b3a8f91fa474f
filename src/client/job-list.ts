import { Deadline } from "../base/deadline.ts";
import { trace } from "../base/trace.ts";
import { BROKER_VERSION } from "../base/version.ts";
import { jobsDirectory, readJob, readJobs, type JobReading } from "../jobs/job-directory.ts";
import type { Job } from "../jobs/job.ts";
import { makeContact, type Introduction } from "../lifecycle/contact.ts";
import { ofAnotherBoot } from "../lifecycle/departed.ts";
import { readEpoch, type ServingRecord } from "../lifecycle/epoch-file.ts";
import { olderBrokers } from "../lifecycle/older-brokers.ts";
import { forgottenSince } from "../lifecycle/sign-of-life.ts";
import type { BrokerRequests } from "../wire/broker-protocol.ts";
import type { Outcome } from "../wire/job-protocol.ts";
import { isRecord } from "../wire/messages.ts";

/** A broker answers this from memory. */
const ANSWER_WITHIN_MS = 2_000;

interface Read {
  readonly id: string;
  readonly job: Job;
}

/** A job, where it is kept, and what can be said of it now. */
export type JobView = { readonly scopeDir: string } & State;

type State =
  | (Read & { readonly state: Exclude<Outcome, "lost"> })
  | (Read & { readonly state: "running"; readonly broker: ServingRecord })
  | (Read & { readonly state: "lost"; readonly why: string })
  /** Its broker is there and does not answer, so nobody can say. */
  | (Read & { readonly state: "unconfirmed"; readonly why: string })
  | Extract<JobReading, { state: "unreadable" }>;

export type JobState = JobView["state"];

/**
 * Every job of the scope, the newest first. One without an end runs only if its broker says so: a
 * file alone never makes a job "running".
 */
export async function viewJobs(scopeDir: string): Promise<JobView[]> {
  return await viewsOf(scopeDir, await readJobs(jobsDirectory(scopeDir)));
}

/** Undefined when there is no such job. */
export async function viewJob(scopeDir: string, id: string): Promise<JobView | undefined> {
  const reading = await readJob(jobsDirectory(scopeDir), id);
  return reading && (await viewsOf(scopeDir, [reading]))[0];
}

async function viewsOf(scopeDir: string, readings: readonly JobReading[]): Promise<JobView[]> {
  return (await statesOf(scopeDir, readings)).map((state) => ({ ...state, scopeDir }));
}

async function statesOf(scopeDir: string, readings: readonly JobReading[]): Promise<State[]> {
  const open = readings.filter((one) => one.state === "read" && one.job.end === null);
  const brokers = open.length === 0 ? [] : olderBrokers(scopeDir, Number.POSITIVE_INFINITY);
  const running = new Map<ServingRecord, ReadonlySet<string> | undefined>();
  await Promise.all(
    brokers
      .filter(({ instance }) =>
        open.some((one) => one.state === "read" && one.job.instance === instance),
      )
      .map(async (record) => running.set(record, await jobsOf(record))),
  );
  const stateOf = async (reading: JobReading): Promise<State> => {
    if (reading.state === "unreadable" || reading.job.end !== null) return settled(reading);
    const { id, job } = reading;
    const broker = brokers.find(({ instance }) => instance === job.instance);
    if (broker === undefined) return { state: "lost", id, job, why: endOf(scopeDir, job) };
    const ids = running.get(broker);
    const forgotten = ids === undefined ? forgottenSince(scopeDir, broker) : undefined;
    if (forgotten !== undefined) {
      const why = `its broker (epoch ${job.epoch}) is a ${forgotten.reason}`;
      return { state: "lost", id, job, why };
    }
    if (ids === undefined) {
      const why = `the broker of epoch ${job.epoch} does not answer`;
      return { state: "unconfirmed", id, job, why };
    }
    if (ids.has(id)) return { state: "running", id, job, broker };
    return await afterwards(scopeDir, reading);
  };
  return await Promise.all(readings.map(stateOf));
}

function settled(reading: JobReading): State {
  if (reading.state === "unreadable") return reading;
  const { id, job } = reading;
  if (job.end === null) {
    return { state: "lost", id, job, why: "its broker does not know it any more" };
  }
  const { outcome, error } = job.end;
  if (outcome !== "lost") return { state: outcome, id, job };
  const why = isRecord(error) ? String(error["message"]) : "its app-server has gone";
  return { state: "lost", id, job, why };
}

/** Between the reading and the asking it may have ended. */
async function afterwards(scopeDir: string, before: JobReading): Promise<State> {
  return settled((await readJob(jobsDirectory(scopeDir), before.id)) ?? before);
}

/** Undefined when the broker does not answer. */
async function jobsOf(record: ServingRecord): Promise<ReadonlySet<string> | undefined> {
  const deadline = Deadline.after(ANSWER_WITHIN_MS);
  const { link } = await makeContact(record, introduction, deadline);
  if (link === undefined) return undefined;
  try {
    const answer = await link.connection.request("broker/jobs", {}, { deadline });
    const { jobs } = answer as BrokerRequests["broker/jobs"]["result"];
    return new Set(jobs.map(({ job }) => job));
  } catch (error) {
    trace("info", "jobs.notAsked", { epoch: record.epoch, error: String(error) });
    return undefined;
  } finally {
    link.connection.close();
  }
}

/** What is known of the end of a job's broker. */
function endOf(scopeDir: string, { epoch, instance }: Job): string {
  const reading = readEpoch(scopeDir, epoch);
  const record = reading?.state === "read" ? reading.record : undefined;
  if (record?.state === "ended" && record.instance === instance) {
    return `its broker ended: ${record.reason.replace(/\.$/, "")}`;
  }
  const restarted = record?.state === "serving" && ofAnotherBoot(record.broker);
  return restarted
    ? `the machine was restarted, and its broker (epoch ${epoch}) ended with it`
    : `its broker (epoch ${epoch}) is gone`;
}

const introduction: Introduction = {
  clientInfo: { name: "codex-broker jobs", title: null, version: BROKER_VERSION },
  capabilities: {},
  handlers: () => ({}),
};
