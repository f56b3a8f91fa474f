import { BrokerError, type BrokerErrorJson } from "../base/errors.ts";
import { BROKER_PROTOCOL, type BrokerHello, type BrokerState } from "../wire/broker-protocol.ts";
import type { Liveness } from "../os/process-identity.ts";
import type { ClaimedRecord, EndedRecord, EpochReading, ServingRecord } from "./epoch-file.ts";
import { evidenceOf, evidenceOfUnreadable, type Contact, type NextStep } from "./evidence.ts";

/** Everything that a verdict is drawn from. */
export type Observation =
  | { readonly state: "none" }
  | (Extract<EpochReading, { state: "unreadable" }> & {
      /** For how long it could not be read. */
      readonly forMs: number;
    })
  | { readonly state: "ended"; readonly record: EndedRecord }
  | {
      readonly state: "claimed";
      readonly record: ClaimedRecord;
      readonly claimant: Liveness;
      readonly claimAgeMs: number;
    }
  | {
      readonly state: "serving";
      readonly record: ServingRecord;
      readonly broker: Liveness;
      readonly contact: Contact;
      /** For how long contacts have ended like this. */
      readonly forMs: number;
      /** For how much of that the process has neither used a processor nor waited for one, or for a disk. */
      readonly idleMs: number;
      /** Whether the record names a process of another host. */
      readonly otherHost: boolean;
      readonly ageMs: number;
      /** Started on behalf of this very call: whatever its age, there is nothing fresher to be had. */
      readonly ours: boolean;
      /** What has changed since the broker started, in words. */
      readonly changed: string | undefined;
    };

export interface Policy {
  /** A claim that has not led to a broker by then is given up. */
  readonly claimLimitMs: number;
  /** A broker that has not answered for this long is passed over, unless its process is at work. */
  readonly unresponsiveAfterMs: number;
  /** A broker that has not answered for this long is passed over in any case. */
  readonly slowestAnswerMs: number;
  /** 0 turns the limit off. */
  readonly maxAgeMs: number;
  readonly brokerVersion: string;
}

export type VerdictName =
  | "absent"
  | "usable"
  | "starting"
  | "draining"
  | "drifted"
  | "aged"
  | "unresponsive"
  | "dead"
  | "foreign"
  | "denied"
  | "incompatible"
  | "rejected"
  | "unknown";

export interface Verdict {
  readonly verdict: VerdictName;
  readonly step: NextStep;
  /** In words, for people. */
  readonly reason: string;
  /** Why the broker of an ended epoch could not serve, or what a call fails with. */
  readonly error?: BrokerErrorJson;
}

/** From observations to a verdict. Reads nothing but its arguments. */
export function assess(seen: Observation, policy: Policy): Verdict {
  switch (seen.state) {
    case "none":
      return supersede("absent", "no broker has been started for this workspace");
    case "unreadable":
      return assessUnreadable(seen, policy);
    case "ended":
      return assessEnded(seen.record);
    case "claimed":
      return assessClaim(seen, policy);
    case "serving":
      return assessServing(seen, policy);
  }
}

function assessEnded(record: EndedRecord): Verdict {
  const verdict = supersede("dead", `the last broker has ended: ${record.reason}`);
  return record.error === null ? verdict : { ...verdict, error: record.error };
}

type Claimed = Extract<Observation, { state: "claimed" }>;

function assessClaim({ record, claimant, claimAgeMs }: Claimed, policy: Policy): Verdict {
  const who = `process ${record.claimant.pid}`;
  if (claimant === "gone") {
    return supersede("dead", `${who} claimed the epoch and ended before it had a broker`);
  }
  if (claimAgeMs > policy.claimLimitMs) {
    return supersede(
      "dead",
      `${who} claimed the epoch ${seconds(claimAgeMs)} ago and has no broker yet`,
    );
  }
  return { verdict: "starting", step: "wait", reason: `${who} is starting a broker` };
}

type Serving = Extract<Observation, { state: "serving" }>;

function assessServing(seen: Serving, policy: Policy): Verdict {
  const { broker, contact, record } = seen;
  if (contact.kind === "hello") return assessHello(seen, contact.hello, policy);
  const { first, last } = evidenceOf(contact, seen.otherHost);
  if (broker === "gone" && !seen.otherHost && first !== "fail") {
    return supersede("dead", `its process ${record.broker.pid} is gone`);
  }
  const step = isPatient(seen, policy) ? first : last;
  const { verdict, reason, error } = describe(seen);
  if (step === "supersede") return supersede(verdict, reason);
  return { verdict, step, reason: withoutStop(reason), ...(error === undefined ? {} : { error }) };
}

/** A process that is at work is slow. Its own watchdog ends it when it hangs. */
function isPatient({ contact, forMs, idleMs }: Serving, policy: Policy): boolean {
  if (contact.kind !== "silent") return forMs < policy.unresponsiveAfterMs;
  return idleMs < policy.unresponsiveAfterMs && forMs < policy.slowestAnswerMs;
}

type Described = Omit<Verdict, "step">;

function describe(seen: Serving): Described {
  const { contact, forMs, otherHost, record } = seen;
  const { endpoint } = record;
  switch (contact.kind) {
    case "denied":
      return {
        verdict: "denied",
        reason: `the system does not allow a connection to ${endpoint} (${contact.code})`,
      };
    case "rejected":
      return {
        verdict: "rejected",
        reason: `the broker rejects this client: ${contact.error.message}`,
        error: contact.error,
      };
    case "unable":
      return { ...unable(endpoint, contact.code), verdict: "unknown" };
    default:
      if (otherHost) return onAnotherHost(record);
  }
  switch (contact.kind) {
    case "stranger":
      return {
        verdict: "foreign",
        reason: `another program answers on ${endpoint}: ${contact.why}`,
      };
    case "closed":
      return {
        verdict: "unresponsive",
        reason: `the broker has closed every connection for ${seconds(forMs)} (${contact.code})`,
      };
    case "silent":
      return { verdict: "unresponsive", reason: `no answer for ${seconds(forMs)}` };
    default: {
      const code = "code" in contact ? contact.code : "";
      return { verdict: "dead", reason: `nobody listens on ${endpoint} (${code})` };
    }
  }
}

function unable(endpoint: string, code: string): Pick<Verdict, "reason" | "error"> {
  const reason = `this process cannot connect to ${endpoint} (${code})`;
  const error = new BrokerError("brokerUnavailable", `No broker was asked: ${reason}.`, {
    details: { endpoint, errno: code },
    hint: "Close files, or raise the limits of this process (`ulimit -n`), then try again; the broker was left alone.",
  });
  return { reason, error: error.toJSON() };
}

function onAnotherHost({ epoch, broker, endpoint }: ServingRecord): Described {
  const reason = `the broker of epoch ${epoch} runs on another host, and cannot be reached from here`;
  const error = new BrokerError("foreignBroker", `No broker can be used: ${reason}.`, {
    details: { epoch, endpoint, hostId: broker.hostId },
    hint: "Run `codex-broker stop` on that host. If that host is gone for good, `codex-broker doctor` names the file to remove.",
  });
  return { verdict: "foreign", reason, error: error.toJSON() };
}

type Unread = Extract<Observation, { state: "unreadable" }>;

function assessUnreadable(seen: Unread, policy: Policy): Verdict {
  const { first, last } = evidenceOfUnreadable(seen);
  const step = seen.forMs < policy.unresponsiveAfterMs ? first : last;
  const reason = `the file of epoch ${seen.epoch} cannot be read: ${seen.why}`;
  if (step === "supersede") return supersede("dead", reason);
  const error = new BrokerError(
    "stateDirUnusable",
    `No broker was asked: ${withoutStop(reason)}.`,
    {
      details: { epoch: seen.epoch, errno: seen.code ?? null },
    },
  );
  return { verdict: "unknown", step, reason: withoutStop(reason), error: error.toJSON() };
}

function assessHello(seen: Serving, hello: BrokerHello, policy: Policy): Verdict {
  if (hello.protocol > BROKER_PROTOCOL) {
    return {
      verdict: "incompatible",
      step: "fail",
      reason: `the broker speaks protocol ${hello.protocol}, this program ${BROKER_PROTOCOL}`,
    };
  }
  if (hello.protocol < BROKER_PROTOCOL) {
    return supersede("drifted", `the broker speaks the older protocol ${hello.protocol}`);
  }
  if (isLeaving(hello.state)) {
    return supersede("draining", `the broker is ${hello.state}`);
  }
  const silence = hello.appServer.unansweredMs;
  if (silence > 0) {
    const reason = `its app-server has not answered for ${seconds(silence)}`;
    if (silence < policy.unresponsiveAfterMs) {
      return { verdict: "unresponsive", step: "ask", reason };
    }
    return supersede("unresponsive", reason);
  }
  const replaceable = seen.ours ? undefined : staleness(seen, policy);
  if (replaceable !== undefined) return replaceable;
  if (hello.state === "starting") {
    return { verdict: "starting", step: "use", reason: "the broker's app-server is starting" };
  }
  return { verdict: "usable", step: "use", reason: "the broker answers" };
}

/** Whether it takes no new work any more. */
export function isLeaving(state: BrokerState): boolean {
  return state === "draining" || state === "stopping" || state === "ended";
}

function staleness(seen: Serving, policy: Policy): Verdict | undefined {
  const drift = driftOf(seen, policy);
  if (drift !== undefined) return supersede("drifted", drift);
  if (policy.maxAgeMs === 0 || seen.ageMs <= policy.maxAgeMs) return undefined;
  const limit = seconds(policy.maxAgeMs);
  return supersede("aged", `the broker is ${seconds(seen.ageMs)} old; the limit is ${limit}`);
}

function driftOf({ record, changed }: Serving, policy: Policy): string | undefined {
  if (changed !== undefined) return changed;
  if (isNewer(policy.brokerVersion, record.versions.broker)) {
    return `this program is newer (${policy.brokerVersion}) than the broker (${record.versions.broker})`;
  }
  return undefined;
}

/** Whether version `a` comes after `b`. Only a newer one replaces: two installations never take turns. */
export function isNewer(a: string, b: string): boolean {
  const left = numbersOf(a);
  const right = numbersOf(b);
  for (const [place, number] of left.entries()) {
    const difference = number - (right[place] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return false;
}

function numbersOf(version: string): number[] {
  return (version.split("-", 1)[0] ?? "").split(".").map((part) => Number.parseInt(part, 10) || 0);
}

function supersede(verdict: VerdictName, reason: string): Verdict {
  return { verdict, step: "supersede", reason: withoutStop(reason) };
}

/** Returns a reason that can be part of a sentence, without the full stop of a quoted one. */
function withoutStop(reason: string): string {
  return reason.replace(/[.\s]+$/, "");
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;
}
