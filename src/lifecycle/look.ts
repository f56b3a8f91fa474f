import { monotonicMs, type Deadline } from "../base/deadline.ts";
import { BROKER_VERSION } from "../base/version.ts";
import { isOfOtherHost, livenessOf } from "../os/process-identity.ts";
import { assess, type Observation, type Policy, type Verdict } from "./assess.ts";
import { makeContact, type Introduction, type Link } from "./contact.ts";
import {
  newestEpoch,
  readEpoch,
  type ClaimedRecord,
  type EpochReading,
  type ServingRecord,
} from "./epoch-file.ts";
import type { Scope } from "./scope.ts";
import { Silence } from "./silence.ts";
import { CLAIM_LIMIT_MS, type BrokerLimits } from "./start-protocol.ts";

/** One question to a broker that may be slow; the next one follows at once. */
export const HELLO_TIMEOUT_MS = 2_000;
/** Healthy answers take milliseconds; a broker that is silent for this long is passed over, not ended. */
const UNRESPONSIVE_AFTER_MS = 8_000;
/** Longer than it takes the watchdog of a broker to end it, should its event loop hang. */
const SLOWEST_ANSWER_MS = 40_000;
/** Between two looks at the epoch files while somebody else starts a broker. */
const FIRST_LOOK_MS = 5;
const SLOWEST_LOOK_MS = 100;

export interface Seen {
  readonly observation: Observation;
  readonly verdict: Verdict;
  /** Open when, and only when, the verdict is to use the broker, or after a look that is not to replace. */
  readonly link?: Link;
}

/** What one call of ensure remembers between two looks. */
export class Course {
  /** The epoch that this call itself has claimed. */
  started: number | undefined;
  #claimEpoch = 0;
  #claimSeenAt = 0;
  /** The epoch and the kind of contact that were met last, again and again. */
  #met = "";
  #metSince = 0;
  #silence: Silence | undefined;
  #pauseMs = FIRST_LOOK_MS;

  /** How long a claim has been there, by its own word or, should the clock have jumped, by ours. */
  claimAgeMs(claim: ClaimedRecord): number {
    if (this.#claimEpoch !== claim.epoch) {
      this.#claimEpoch = claim.epoch;
      this.#claimSeenAt = monotonicMs();
      this.#pauseMs = FIRST_LOOK_MS;
    }
    const byUs = monotonicMs() - this.#claimSeenAt;
    // The clock of another host may be wrong by more than the limit.
    if (isOfOtherHost(claim.claimant)) return byUs;
    const byFile = Date.now() - Date.parse(claim.claimedAt);
    return Math.max(Number.isFinite(byFile) ? byFile : 0, byUs);
  }

  /** How long the same has been met with this epoch, over all attempts of this call. */
  metForMs(epoch: number, kind: string, startedAt: number): number {
    const met = `${epoch} ${kind}`;
    if (this.#met !== met) {
      this.#met = met;
      this.#metSince = startedAt;
      this.#silence = undefined;
    }
    return monotonicMs() - this.#metSince;
  }

  /** How much of that the process of the broker was idle. */
  idleMs({ broker }: ServingRecord): number {
    this.#silence ??= new Silence(broker, this.#metSince);
    this.#silence.observe();
    return this.#silence.idleMs;
  }

  nextPauseMs(): number {
    const current = this.#pauseMs;
    this.#pauseMs = Math.min(current * 1.5, SLOWEST_LOOK_MS);
    return current;
  }
}

/** Reads the newest epoch and, where a broker serves it, asks that. */
export async function look(
  scope: Scope,
  introduction: Introduction,
  policy: Policy,
  deadline: Deadline,
  course: Course,
  keepLink = false,
): Promise<Seen> {
  const reading = newestEpoch(scope.directory);
  if (reading?.state !== "read" || reading.record.state !== "serving") {
    const observation = observeFile(reading, course);
    return { observation, verdict: assess(observation, policy) };
  }
  const record = reading.record;
  const startedAt = monotonicMs();
  const contacted = await makeContact(record, introduction, deadline.within(HELLO_TIMEOUT_MS));
  if (contacted.link === undefined) {
    // Its last word may have been written while it was asked, and says why nobody answers.
    const ended = endingOf(scope, record.epoch);
    if (ended !== undefined) return { observation: ended, verdict: assess(ended, policy) };
  }
  const { contact } = contacted;
  const forMs = course.metForMs(record.epoch, contact.kind, startedAt);
  const observation: Observation = {
    state: "serving",
    record,
    contact,
    forMs,
    idleMs: contact.kind === "silent" ? course.idleMs(record) : forMs,
    otherHost: isOfOtherHost(record.broker),
    ours: record.epoch === course.started,
    broker: contact.kind === "hello" ? "unknown" : livenessOf(record.broker),
    ageMs: Math.max(0, Date.now() - Date.parse(record.startedAt)),
    changed: contacted.link?.hello.drift ?? undefined,
  };
  const verdict = assess(observation, policy);
  if (contacted.link === undefined) return { observation, verdict };
  if (verdict.step === "use" || keepLink) return { observation, verdict, link: contacted.link };
  contacted.link.connection.close();
  return { observation, verdict };
}

function endingOf(scope: Scope, epoch: number): Observation | undefined {
  const reading = readEpoch(scope.directory, epoch);
  if (reading?.state !== "read" || reading.record.state !== "ended") return undefined;
  return { state: "ended", record: reading.record };
}

function observeFile(reading: EpochReading | undefined, course: Course): Observation {
  if (reading === undefined) return { state: "none" };
  if (reading.state === "unreadable") {
    const forMs = course.metForMs(reading.epoch, "unreadable", monotonicMs());
    return { ...reading, forMs };
  }
  const record = reading.record;
  if (record.state === "ended") return { state: "ended", record };
  if (record.state === "serving") throw new Error("a serving record needs a contact");
  return {
    state: "claimed",
    record,
    claimant: livenessOf(record.claimant),
    claimAgeMs: course.claimAgeMs(record),
  };
}

/** The epoch that was looked at; 0 when there is none. */
export function epochOf(observation: Observation): number {
  switch (observation.state) {
    case "none":
      return 0;
    case "unreadable":
      return observation.epoch;
    default:
      return observation.record.epoch;
  }
}

export function policyOf(limits: BrokerLimits): Policy {
  return {
    claimLimitMs: CLAIM_LIMIT_MS,
    unresponsiveAfterMs: UNRESPONSIVE_AFTER_MS,
    slowestAnswerMs: SLOWEST_ANSWER_MS,
    maxAgeMs: limits.maxAgeMs,
    brokerVersion: BROKER_VERSION,
  };
}
