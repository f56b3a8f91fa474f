import { requestFacts } from "../app-server/method-table.ts";
import { BrokerError } from "../base/errors.ts";
import type { BrokerCapacity } from "../lifecycle/start-protocol.ts";
import type { Draining, TurnStatusEntry } from "../wire/broker-protocol.ts";
import type { RequestFrame } from "../wire/frame.ts";
import { THREAD_OPENERS, TURN_STARTERS } from "../wire/method-kinds.ts";
import { threadParam } from "./frame-facts.ts";
import type { Peer } from "./peer.ts";

/** Begin work, or take a thread up: what a broker that is about to end must leave to its successor. */
const WORK_STARTERS = new Set([...TURN_STARTERS, ...THREAD_OPENERS]);

/** What admission goes by. */
export interface Situation {
  readonly draining: Draining | undefined;
  readonly experimentalApi: boolean;
  /** Requests of the session that wait for their place. */
  readonly waiting: number;
  /** Threads that are loaded, or about to be. */
  readonly threads: number;
  readonly capacity: BrokerCapacity;
  readonly knowsThread: (threadId: string) => boolean;
}

export function startsTurn(frame: RequestFrame): boolean {
  return TURN_STARTERS.has(frame.method);
}

export function opensThread(frame: RequestFrame): boolean {
  return THREAD_OPENERS.has(frame.method);
}

/** A client that takes its threads along sets what they had, whether or not its program may do that. */
export function restoresSettings({ movesByItself }: Peer, { method }: RequestFrame): boolean {
  return movesByItself === true && method === "thread/settings/update";
}

/** Why a request goes no further; undefined when it may. */
export function refusalOf(frame: RequestFrame, situation: Situation): BrokerError | undefined {
  const { draining, experimentalApi, waiting, threads, knowsThread } = situation;
  const { maxWaitingRequests, maxThreads } = situation.capacity;
  if (draining !== undefined && WORK_STARTERS.has(frame.method)) return noNewWork(draining);
  const facts = requestFacts(frame.method);
  if (facts !== undefined && !facts.stable && !experimentalApi) {
    return new BrokerError("invalidRequest", `${frame.method} requires experimentalApi capability`);
  }
  if (waiting >= maxWaitingRequests) {
    const message = `${waiting} requests of this session are waiting already.`;
    return new BrokerError("tooManyRequests", message, { details: { limit: maxWaitingRequests } });
  }
  const threadId = threadParam(frame);
  const known = threadId !== undefined && knowsThread(threadId);
  const isNew = opensThread(frame) && !(known && frame.method === "thread/resume");
  if (isNew && threads >= maxThreads) {
    const message = `This broker has ${threads} threads loaded already.`;
    return new BrokerError("tooManyThreads", message, { details: { limit: maxThreads } });
  }
  const needsThread = startsTurn(frame) && threadId !== undefined;
  return needsThread && !known ? threadNotFound(threadId) : undefined;
}

export function noNewWork({ reason }: Draining): BrokerError {
  return new BrokerError("draining", `This broker takes no new work: ${reason}.`);
}

/** Upstream would run the turn, but tell the broker nothing of it, and so nobody. */
export function threadNotFound(threadId: string): BrokerError {
  return new BrokerError("invalidRequest", `thread not found: ${threadId}`, {
    hint: "Send `thread/resume` first: a turn is heard on a thread that was started or resumed here.",
  });
}

/**
 * @param sameSession whether it asks for a second turn beside its own
 * @param queued how many wait for the thread already
 */
export function threadBusy(
  running: TurnStatusEntry,
  sameSession: boolean,
  queued: number,
): BrokerError {
  const { threadId, turnId, session, ageMs, silentMs } = running;
  const whose = sameSession ? "a turn of this session" : "a turn of another session";
  return new BrokerError("threadBusy", `Thread ${threadId} is running ${whose}.`, {
    details: { threadId, turnId, session, ageMs, silentMs, queued },
  });
}
