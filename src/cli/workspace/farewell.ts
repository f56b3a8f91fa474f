import { Deadline, monotonicMs, pause } from "../../base/deadline.ts";
import { censusOf, type ScopeCensus } from "../../lifecycle/census.ts";
import { makeContact } from "../../lifecycle/contact.ts";
import type { ContactKind } from "../../lifecycle/evidence.ts";
import { newestEpoch, readEpoch, type ServingRecord } from "../../lifecycle/epoch-file.ts";
import { CLAIM_LIMIT_MS } from "../../lifecycle/start-protocol.ts";
import { livenessOf } from "../../os/process-identity.ts";
import type { BrokerRequests } from "../../wire/broker-protocol.ts";
import { introductionOf } from "./ask.ts";

/** A healthy broker answers in milliseconds. Whoever takes leave does not wait for one that hangs. */
const ANSWER_WITHIN_MS = 5_000;
const LOOK_AGAIN_MS = 20;

export interface Farewell {
  /** Interrupt running turns instead of waiting for them. */
  readonly force: boolean;
  readonly deadline: Deadline;
  /** Called for each broker that lets turns finish first. */
  readonly onTurns: (record: ServingRecord, turns: number) => void;
}

/**
 * `stopped`: its process is gone · `draining`: it has agreed and not ended yet · `silent`: it is there
 * and does not answer · `denied`: the system does not let us ask · `elsewhere`: it is of another host
 * or container, nobody can be asked and nothing be proven from here · `rejected`: it answers and does not
 * take this client, as when it has as many sessions as it may have · `unasked`: this process could not
 * connect, for want of descriptors say.
 */
export type FarewellState =
  | "stopped"
  | "draining"
  | "silent"
  | "denied"
  | "elsewhere"
  | "rejected"
  | "unasked";

export interface Parted {
  readonly scope: string;
  readonly record: ServingRecord;
  readonly state: FarewellState;
  /** That were running when it was asked. */
  readonly turns: number;
  readonly tookMs: number;
}

/**
 * Asks every broker of these scopes to end, those that drain already among them, all at once and
 * within one deadline. The newest epoch of each scope comes first. No signal is sent to anyone.
 */
export async function sayFarewell(
  scopes: readonly Pick<ScopeCensus, "key" | "directory">[],
  farewell: Farewell,
): Promise<Parted[]> {
  const parted = await Promise.all(
    scopes.map(async ({ key, directory }) => {
      await settled(directory, farewell.deadline);
      const { brokers } = censusOf(key, directory);
      return await Promise.all(
        brokers.map(async ({ record, forgotten }) => {
          const parted = await part(key, directory, record, farewell);
          return forgotten !== undefined && parted.state === "elsewhere" ? [] : [parted];
        }),
      );
    }),
  );
  return parted.flat(2);
}

/** A broker that somebody is just starting cannot be asked yet. */
async function settled(scopeDir: string, deadline: Deadline): Promise<void> {
  const limit = deadline.within(CLAIM_LIMIT_MS);
  while (isClaimed(scopeDir) && !limit.expired) await pause(LOOK_AGAIN_MS);
}

function isClaimed(scopeDir: string): boolean {
  const newest = newestEpoch(scopeDir);
  if (newest?.state !== "read" || newest.record.state !== "claimed") return false;
  const { claimant, claimedAt } = newest.record;
  // A claim from the future, as after a clock that was set back, is waited for within the limit.
  return livenessOf(claimant) !== "gone" && !(Date.now() - Date.parse(claimedAt) > CLAIM_LIMIT_MS);
}

async function part(
  scope: string,
  scopeDir: string,
  record: ServingRecord,
  { force, deadline, onTurns }: Farewell,
): Promise<Parted> {
  const began = monotonicMs();
  const asked = await ask(record, force, deadline.within(ANSWER_WITHIN_MS));
  const turns = typeof asked === "number" ? asked : 0;
  if (turns > 0 && !force) onTurns(record, turns);
  // Nobody waits for one that hangs, nor for one that nobody can ask or see.
  const ends = typeof asked === "number" || (asked === "refused" && isAlive(record));
  const ended = await endsWithin(scopeDir, record, ends ? deadline : Deadline.after(0));
  const state = ended ? "stopped" : stateOf(asked, record);
  return { scope, record, state, turns, tookMs: Math.round(monotonicMs() - began) };
}

type Asked = number | "refused" | "silent" | "denied" | "rejected" | "unasked";

const ASKED: Readonly<Record<Exclude<ContactKind, "hello">, Exclude<Asked, number>>> = {
  refused: "refused",
  misplaced: "refused",
  stranger: "refused",
  // Something listens, so it has not ended.
  closed: "silent",
  silent: "silent",
  denied: "denied",
  rejected: "rejected",
  unable: "unasked",
};

/** @returns how many turns run in it, or why that cannot be told. */
async function ask(record: ServingRecord, force: boolean, deadline: Deadline): Promise<Asked> {
  const { contact, link } = await makeContact(record, introductionOf("stop"), deadline);
  if (link === undefined) return contact.kind === "hello" ? "refused" : ASKED[contact.kind];
  try {
    const answer = await link.connection.request("broker/stop", { force }, { deadline });
    return (answer as BrokerRequests["broker/stop"]["result"]).turns;
  } catch {
    // It has hung up, and then it is about to end; or the time is up.
    return deadline.expired ? "silent" : "refused";
  } finally {
    link.connection.close();
  }
}

async function endsWithin(
  scopeDir: string,
  record: ServingRecord,
  deadline: Deadline,
): Promise<boolean> {
  while (!hasEnded(scopeDir, record)) {
    if (deadline.expired) return false;
    await pause(LOOK_AGAIN_MS);
  }
  return true;
}

function hasEnded(scopeDir: string, record: ServingRecord): boolean {
  const liveness = livenessOf(record.broker);
  if (liveness !== "unknown") return liveness === "gone";
  // Where nothing can be proven about the process, its own last word has to do.
  const reading = readEpoch(scopeDir, record.epoch);
  return reading?.state !== "read" || reading.record.state === "ended";
}

function stateOf(asked: Asked, record: ServingRecord): FarewellState {
  if (typeof asked === "number") return "draining";
  if (asked !== "refused") return asked;
  // It listens no more and has not ended: it hangs in its own end.
  return isAlive(record) ? "silent" : "elsewhere";
}

function isAlive({ broker }: ServingRecord): boolean {
  return livenessOf(broker) === "alive";
}
