import path from "node:path";
import { asBrokerError, BrokerError } from "../base/errors.ts";
import { Deadline, monotonicMs, pause } from "../base/deadline.ts";
import { trace } from "../base/trace.ts";
import { BROKER_VERSION } from "../base/version.ts";
import { ensurePrivateDirectory } from "../os/private-directory.ts";
import { livenessOf } from "../os/process-identity.ts";
import { assess, type Observation, type Policy, type Verdict } from "./assess.ts";
import { makeContact, type Introduction, type Link } from "./contact.ts";
import { driftOf } from "./drift.ts";
import { crashLoopIn } from "./crash-loop.ts";
import {
  claimEpoch,
  hasLostEpoch,
  listEpochs,
  newestEpoch,
  publishEpoch,
  readEpoch,
  type ClaimedRecord,
  type EndedRecord,
  type EpochReading,
  type ServingRecord,
} from "./epoch-file.ts";
import { forbiddenSockets } from "./forbidden-sockets.ts";
import { limitsOf } from "./limits.ts";
import type { Scope } from "./scope.ts";
import { spawnBroker } from "./spawn-broker.ts";
import { CLAIM_LIMIT_MS, type BrokerLimits, type StartOrder } from "./start-protocol.ts";

/** One question to a broker that may be slow; the next one follows at once. */
const HELLO_TIMEOUT_MS = 2_000;
/** Healthy answers take milliseconds; a broker that is silent for this long is passed over, not ended. */
const UNRESPONSIVE_AFTER_MS = 8_000;
/** Enough for a cold start under heavy load. */
const DEFAULT_START_TIMEOUT_MS = 60_000;
/** Between two looks at the epoch files while somebody else starts a broker. */
const FIRST_LOOK_MS = 5;
const SLOWEST_LOOK_MS = 100;

/** Long enough to come back to it after a lost connection. */
const PRIVATE_LIMITS: Partial<BrokerLimits> = { idleTimeoutMs: 2_000 };

export interface EnsureOptions {
  readonly scope: Scope;
  readonly introduction: Introduction;
  readonly limits?: Partial<BrokerLimits>;
  /** Take over even from a broker that could be used. */
  readonly replace?: boolean;
  readonly deadline?: Deadline;
  readonly env?: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal;
}

export interface Ensured {
  readonly record: ServingRecord;
  readonly link: Link;
  /** Whether this call started it. */
  readonly started: boolean;
}

export interface Seen {
  readonly observation: Observation;
  readonly verdict: Verdict;
  /** Open when, and only when, the verdict is to use the broker, or after a look that is not to replace. */
  readonly link?: Link;
}

/**
 * A healthy broker for the scope: the one that is there, or one that is started now. However many ask
 * at once, one starts; a broker that has gone bad is superseded, never signalled.
 *
 * @throws BrokerError — see `docs/errors.md` under "A broker could not be had".
 */
export async function ensureBroker(options: EnsureOptions): Promise<Ensured> {
  const { scope, introduction, signal } = options;
  const asked = scope.private ? { ...PRIVATE_LIMITS, ...options.limits } : options.limits;
  const limits = limitsOf(asked ?? {}, options.env ?? process.env);
  const deadline = options.deadline ?? Deadline.after(DEFAULT_START_TIMEOUT_MS);
  prepareScopeDirectory(scope);
  const policy = policyOf(limits);
  const course = new Course();
  const calledAt = Date.now();

  for (;;) {
    signal?.throwIfAborted();
    const seen = await look(scope, introduction, policy, deadline, course);
    if (deadline.expired) throw tooLate(seen.verdict);
    const { observation, link } = seen;
    const replacing = options.replace === true && course.started === undefined;
    const verdict = replacing ? toBeReplaced(seen.verdict) : seen.verdict;
    if (replacing) link?.connection.close();
    trace("debug", "ensure.verdict", { ...verdict });
    if (verdict.step === "use" && link !== undefined && observation.state === "serving") {
      return {
        record: observation.record,
        link,
        started: course.started === observation.record.epoch,
      };
    }
    if (verdict.step === "fail") throw failure(verdict, observation);
    if (verdict.step === "supersede") {
      throwIfStartFailedMeanwhile(observation, calledAt);
      throwIfCrashLoop(scope.directory);
      await throwIfSocketsForbidden(scope.stateDir);
      const claim = claimEpoch(scope.directory, epochOf(observation));
      if (claim === undefined) continue;
      trace("info", "ensure.superseding", { epoch: claim.epoch, reason: verdict.reason });
      course.started = claim.epoch;
      await startBroker({ scope, claim, limits }, deadline, options.env ?? process.env);
      trace("debug", "ensure.started", { epoch: claim.epoch });
      continue;
    }
    await pause(course.nextPauseMs(), signal);
  }
}

function toBeReplaced(verdict: Verdict): Verdict {
  return verdict.step === "use"
    ? { ...verdict, step: "supersede", reason: "it is to be replaced" }
    : verdict;
}

async function startBroker(
  order: StartOrder,
  deadline: Deadline,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const { scope, claim } = order;
  try {
    await spawnBroker(order, deadline.within(CLAIM_LIMIT_MS), env);
  } catch (thrown) {
    const error = asBrokerError(thrown, "brokerStartFailed");
    if (error.kind === "brokerUnavailable") {
      if (deadline.expired) throw error;
      // It may still come up; the next look finds either that, or that its claim is over the limit.
      return;
    }
    // Somebody has cleared the claim away: the broker could not come, and the next one may.
    if (hasLostEpoch(scope.directory, claim.epoch, claim.token)) return;
    const killed = wasKilled(error);
    writeUpFailedStart(scope.directory, claim, error, killed);
    const superseded = (listEpochs(scope.directory)[0] ?? 0) > claim.epoch;
    if (!killed && !superseded) throw error;
  }
}

const SENT_BY_OTHERS = new Set<unknown>(["SIGKILL", "SIGTERM", "SIGINT", "SIGHUP"]);

/**
 * That somebody, or the system short of memory, has killed the broker at its start says nothing about
 * the next start, so the call goes on. Should it happen again and again, it is a crash loop.
 */
function wasKilled({ kind, details }: BrokerError): boolean {
  return kind === "brokerStartFailed" && SENT_BY_OTHERS.has(details["signal"]);
}

/** The claimant is who the file names until a broker has put itself into it. */
function writeUpFailedStart(
  scopeDir: string,
  claim: ClaimedRecord,
  error: BrokerError,
  worthAnotherTry: boolean,
): void {
  const reading = readEpoch(scopeDir, claim.epoch);
  if (reading?.state !== "read" || reading.record.state !== "claimed") return;
  // Somebody may have emptied the directory and claimed this number anew.
  if (reading.record.token !== claim.token) return;
  publishEpoch(scopeDir, {
    ...claim,
    state: "ended",
    reason: error.message,
    at: new Date().toISOString(),
    abnormal: true,
    exit: null,
    error: worthAnotherTry ? null : error.toJSON(),
    stderrTail: "",
  });
}

/** What is there, without starting or replacing anything. The caller closes the link. */
export function findBroker(
  scope: Scope,
  introduction: Introduction,
  limits: Partial<BrokerLimits> = {},
): Promise<Seen> {
  const policy = policyOf(limitsOf(limits, process.env));
  return look(scope, introduction, policy, Deadline.after(HELLO_TIMEOUT_MS), new Course(), true);
}

/** What one call of ensure remembers between two looks. */
class Course {
  /** The epoch that this call itself has claimed. */
  started: number | undefined;
  #claimEpoch = 0;
  #claimSeenAt = 0;
  #silentEpoch = 0;
  #silentSince = 0;
  #pauseMs = FIRST_LOOK_MS;

  /** How long a claim has been there, by its own word or, should the clock have jumped, by ours. */
  claimAgeMs(claim: ClaimedRecord): number {
    if (this.#claimEpoch !== claim.epoch) {
      this.#claimEpoch = claim.epoch;
      this.#claimSeenAt = monotonicMs();
      this.#pauseMs = FIRST_LOOK_MS;
    }
    const byFile = Date.now() - Date.parse(claim.claimedAt);
    return Math.max(Number.isFinite(byFile) ? byFile : 0, monotonicMs() - this.#claimSeenAt);
  }

  /** How long the broker of this epoch has kept silent, over all questions of this call. */
  silentForMs(epoch: number, lastMs: number): number {
    if (this.#silentEpoch !== epoch) {
      this.#silentEpoch = epoch;
      this.#silentSince = monotonicMs() - lastMs;
    }
    return monotonicMs() - this.#silentSince;
  }

  nextPauseMs(): number {
    const current = this.#pauseMs;
    this.#pauseMs = Math.min(current * 1.5, SLOWEST_LOOK_MS);
    return current;
  }
}

async function look(
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
  const contacting = makeContact(record, introduction, deadline.within(HELLO_TIMEOUT_MS));
  // Meanwhile it accepts the connection.
  const changed = driftOf(record);
  const contacted = await contacting;
  if (contacted.link === undefined) {
    // Its last word may have been written while it was asked, and says why nobody answers.
    const ended = endingOf(scope, record.epoch);
    if (ended !== undefined) return { observation: ended, verdict: assess(ended, policy) };
  }
  const contact =
    contacted.contact.kind === "silent"
      ? { ...contacted.contact, forMs: course.silentForMs(record.epoch, contacted.contact.forMs) }
      : contacted.contact;
  const observation: Observation = {
    state: "serving",
    record,
    contact,
    ours: record.epoch === course.started,
    broker: contact.kind === "silent" ? livenessOf(record.broker) : "unknown",
    ageMs: Math.max(0, Date.now() - Date.parse(record.startedAt)),
    changed,
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
  if (reading.state === "unreadable") return reading;
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

function epochOf(observation: Observation): number {
  switch (observation.state) {
    case "none":
      return 0;
    case "unreadable":
      return observation.epoch;
    default:
      return observation.record.epoch;
  }
}

/**
 * A start that failed while this call was under way is the answer to this call: fifty callers get its
 * reason, and do not all try it again one after the other.
 */
function throwIfStartFailedMeanwhile(observation: Observation, calledAt: number): void {
  if (observation.state !== "ended") return;
  const { error, at } = observation.record;
  if (error !== null && Date.parse(at) >= calledAt) throw BrokerError.fromJSON(error);
}

/** Starting the same thing again and again helps nobody: the reasons are told instead. */
function throwIfCrashLoop(scopeDir: string): void {
  const endings: EndedRecord[] = [];
  for (const epoch of listEpochs(scopeDir)) {
    const reading = readEpoch(scopeDir, epoch);
    if (reading?.state !== "read" || reading.record.state !== "ended") break;
    endings.push(reading.record);
  }
  const loop = crashLoopIn(endings, Date.now(), Math.random());
  if (loop === undefined) return;
  const { count, waitMs, reasons } = loop;
  throw new BrokerError(
    "crashLoop",
    `The last ${count} brokers failed one after the other, the latest because: ${String(reasons[0])}. ` +
      `The next start is tried in ${Math.ceil(waitMs / 1000)} s.`,
    { details: { count, waitMs, reasons } },
  );
}

/** A broker that may not listen, or to which its starter may not connect, serves nobody. */
async function throwIfSocketsForbidden(stateDir: string): Promise<void> {
  const forbidden = await forbiddenSockets(stateDir);
  if (forbidden === undefined) return;
  const { what, directory } = forbidden;
  const outside = "Run `codex-broker ensure` outside the sandbox";
  const [denied, hint] =
    what === "listen"
      ? ["a broker to listen on", `${outside}: its broker serves this place too.`]
      : [
          "a connection to",
          `${outside}, and allow the sandbox to connect to sockets in ${directory}.`,
        ];
  throw new BrokerError(
    "sandboxDenied",
    `The system does not allow ${denied} sockets in ${directory} (EPERM), so no broker was started.`,
    { details: { directory }, hint },
  );
}

function failure(verdict: Verdict, observation: Observation): BrokerError {
  const details = observation.state === "serving" ? { endpoint: observation.record.endpoint } : {};
  const kind = verdict.verdict === "denied" ? "sandboxDenied" : "protocolMismatch";
  return new BrokerError(kind, `No broker can be used: ${verdict.reason}.`, { details });
}

function tooLate(verdict: Verdict): BrokerError {
  return new BrokerError(
    "brokerUnavailable",
    `No broker could be had in time: ${verdict.reason}.`,
    {
      details: { verdict: verdict.verdict },
    },
  );
}

function policyOf(limits: BrokerLimits): Policy {
  return {
    claimLimitMs: CLAIM_LIMIT_MS,
    unresponsiveAfterMs: UNRESPONSIVE_AFTER_MS,
    maxAgeMs: limits.maxAgeMs,
    brokerVersion: BROKER_VERSION,
  };
}

function prepareScopeDirectory(scope: Scope): void {
  const { stateDir, directory } = scope;
  for (const each of [stateDir, path.dirname(directory), directory]) ensurePrivateDirectory(each);
}
