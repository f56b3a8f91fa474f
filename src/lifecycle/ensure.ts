import path from "node:path";
import { asBrokerError, BrokerError, errnoOf } from "../base/errors.ts";
import { Deadline, pause } from "../base/deadline.ts";
import { trace } from "../base/trace.ts";
import { ensurePrivateDirectory } from "../os/private-directory.ts";
import type { Observation, Verdict } from "./assess.ts";
import type { Introduction, Link } from "./contact.ts";
import {
  claimEpoch,
  hasLostEpoch,
  listEpochs,
  newestEpoch,
  publishEpoch,
  readEpoch,
  type ClaimedRecord,
  type ServingRecord,
} from "./epoch-file.ts";
import { limitsOf } from "./limits.ts";
import { Course, epochOf, HELLO_TIMEOUT_MS, look, policyOf, type Seen } from "./look.ts";
import { mostReplacementsIn, ON_REQUEST } from "./replacement-loop.ts";
import type { Scope } from "./scope.ts";
import { spawnBroker } from "./spawn-broker.ts";
import {
  endedInOrder,
  throwIfCrashLoop,
  throwIfReplacementLoop,
  throwIfSocketsForbidden,
  throwIfStartFailedMeanwhile,
} from "./start-guards.ts";
import { CLAIM_LIMIT_MS, type BrokerLimits, type StartOrder } from "./start-protocol.ts";

/** Enough for a cold start under heavy load. */
const DEFAULT_START_TIMEOUT_MS = 60_000;

/** Long enough to come back to it after a lost connection. */
const PRIVATE_LIMITS: Partial<BrokerLimits> = { idleTimeoutMs: 2_000 };

export interface EnsureOptions {
  readonly scope: Scope;
  readonly introduction: Introduction;
  readonly limits?: Partial<BrokerLimits>;
  /** Options of `codex app-server` for a broker that is started: only where the scope is private. */
  readonly appServerArguments?: readonly string[];
  /** Use only a broker of a later epoch than this one, however healthy the broker of this one is. */
  readonly newerThan?: number;
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

/**
 * A healthy broker for the scope: the one that is there, or one that is started now. However many ask
 * at once, one starts; a broker that has gone bad is superseded, never signalled.
 *
 * @throws BrokerError — see `docs/errors.md` under "A broker could not be had".
 */
export async function ensureBroker(options: EnsureOptions): Promise<Ensured> {
  const { scope, introduction, signal } = options;
  const asked = scope.private ? { ...PRIVATE_LIMITS, ...options.limits } : options.limits;
  const env = options.env ?? process.env;
  const limits = limitsOf(asked ?? {}, env);
  const deadline = options.deadline ?? Deadline.after(DEFAULT_START_TIMEOUT_MS);
  prepareScopeDirectory(scope);
  const policy = policyOf(limits);
  const mostReplacements = mostReplacementsIn(env);
  const course = new Course();
  const calledAt = Date.now();

  for (;;) {
    signal?.throwIfAborted();
    const seen = await look(scope, introduction, policy, deadline, course);
    if (deadline.expired) throw tooLate(seen.verdict);
    const { observation, link } = seen;
    const onRequest = isToBeReplaced(seen, options.newerThan, course);
    const verdict = onRequest ? toBeReplaced(seen.verdict) : seen.verdict;
    if (onRequest) link?.connection.close();
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
      // A person who asks for a new broker knows of the failures, and passes this once.
      const isFirst = course.started === undefined;
      if (options.newerThan === undefined || !isFirst) await throwIfCrashLoop(scope.directory);
      throwIfReplacementLoop(scope.directory, observation, onRequest, mostReplacements);
      await throwIfSocketsForbidden(scope.stateDir);
      const supersedes = endedInOrder(observation) ? undefined : verdict.reason;
      const claim = claimEpoch(scope.directory, epochOf(observation), supersedes);
      if (claim === undefined) continue;
      trace("info", "ensure.superseding", { epoch: claim.epoch, reason: verdict.reason });
      course.started = claim.epoch;
      await startBroker(
        { scope, claim, limits, appServerArguments: options.appServerArguments ?? [] },
        deadline,
        env,
      );
      trace("debug", "ensure.started", { epoch: claim.epoch });
      continue;
    }
    await pause(course.nextPauseMs(), signal);
  }
}

/**
 * The epoch of the broker that serves the scope now, for a caller that wants a newer one. A broker that is
 * being started is as new as the caller can have it.
 */
export function servingEpoch(scope: Scope): number {
  const newest = newestEpoch(scope.directory);
  if (newest === undefined) return 0;
  const isClaim = newest.state === "read" && newest.record.state === "claimed";
  return isClaim ? newest.epoch - 1 : newest.epoch;
}

function isToBeReplaced(
  { observation, verdict }: Seen,
  newerThan: number | undefined,
  { started }: Course,
): boolean {
  if (newerThan === undefined || started !== undefined || verdict.step !== "use") return false;
  return epochOf(observation) <= newerThan;
}

function toBeReplaced(verdict: Verdict): Verdict {
  return { ...verdict, step: "supersede", reason: ON_REQUEST };
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
    writeUpFailedStart(scope.directory, claim, error, killed || isOwnShortage(error));
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

/** This process could not start a process. That says nothing about the next one to try. */
function isOwnShortage({ kind, cause }: BrokerError): boolean {
  return kind === "brokerStartFailed" && SHORTAGES.has(errnoOf(cause));
}

const SHORTAGES = new Set<string | undefined>(["EMFILE", "ENFILE", "ENOMEM", "EAGAIN"]);

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

function failure(verdict: Verdict, observation: Observation): BrokerError {
  if (verdict.error !== undefined) return BrokerError.fromJSON(verdict.error);
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

function prepareScopeDirectory(scope: Scope): void {
  const { stateDir, directory } = scope;
  for (const each of [stateDir, path.dirname(directory), directory]) ensurePrivateDirectory(each);
}
