import type { BrokerErrorJson } from "../base/errors.ts";
import { BROKER_PROTOCOL, type BrokerHello } from "../wire/broker-protocol.ts";
import type { Liveness } from "../os/process-identity.ts";
import type { ClaimedRecord, EndedRecord, ServingRecord } from "./epoch-file.ts";

/** What happened when the endpoint of a record was tried. */
export type Contact =
  | { readonly kind: "refused"; readonly code: string }
  | { readonly kind: "denied"; readonly code: string }
  | { readonly kind: "silent"; readonly forMs: number }
  | { readonly kind: "stranger"; readonly why: string }
  | { readonly kind: "hello"; readonly hello: BrokerHello };

/** Everything that a verdict is drawn from. */
export type Observation =
  | { readonly state: "none" }
  | { readonly state: "unreadable"; readonly epoch: number; readonly why: string }
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
      readonly ageMs: number;
      /** Started on behalf of this very call: whatever its age, there is nothing fresher to be had. */
      readonly ours: boolean;
      /** What has changed since the broker started, in words. */
      readonly changed: string | undefined;
    };

export interface Policy {
  /** A claim that has not led to a broker by then is given up. */
  readonly claimLimitMs: number;
  /** A broker that has not answered for this long is passed over. */
  readonly unresponsiveAfterMs: number;
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
  | "incompatible";

/** `wait` for the epoch files to change · `ask` the endpoint again · `fail` with the reason. */
export type NextStep = "use" | "wait" | "ask" | "supersede" | "fail";

export interface Verdict {
  readonly verdict: VerdictName;
  readonly step: NextStep;
  /** In words, for people. */
  readonly reason: string;
  /** Why the broker of an ended epoch could not serve. */
  readonly error?: BrokerErrorJson;
}

/** From observations to a verdict. Reads nothing but its arguments. */
export function assess(seen: Observation, policy: Policy): Verdict {
  switch (seen.state) {
    case "none":
      return supersede("absent", "no broker has been started for this workspace");
    case "unreadable":
      return supersede("dead", `the file of epoch ${seen.epoch} cannot be read: ${seen.why}`);
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
  const { contact, record } = seen;
  switch (contact.kind) {
    case "hello":
      return assessHello(seen, contact.hello, policy);
    case "denied":
      return {
        verdict: "denied",
        step: "fail",
        reason: `the system does not allow a connection to ${record.endpoint} (${contact.code})`,
      };
    case "refused":
      return supersede("dead", `nobody listens on ${record.endpoint} (${contact.code})`);
    case "stranger":
      return supersede("foreign", `somebody else answers on ${record.endpoint}: ${contact.why}`);
    case "silent":
      return assessSilence(seen, contact.forMs, policy);
  }
}

function assessSilence({ broker, record }: Serving, forMs: number, policy: Policy): Verdict {
  if (broker === "gone") return supersede("dead", `its process ${record.broker.pid} is gone`);
  if (forMs < policy.unresponsiveAfterMs) {
    return { verdict: "unresponsive", step: "ask", reason: `no answer for ${seconds(forMs)}` };
  }
  return supersede("unresponsive", `no answer for ${seconds(forMs)}`);
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
  if (hello.state === "draining" || hello.state === "stopping" || hello.state === "ended") {
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

/** A reason becomes part of a sentence, also where it is somebody else's whole one. */
function supersede(verdict: VerdictName, reason: string): Verdict {
  return { verdict, step: "supersede", reason: reason.replace(/[.\s]+$/, "") };
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;
}
