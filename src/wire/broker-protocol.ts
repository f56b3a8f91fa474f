import { createHmac, timingSafeEqual } from "node:crypto";
import type { BrokerErrorJson, ErrorKind } from "../base/errors.ts";
import type {
  JobCancelled,
  JobAttached,
  JobNamed,
  JobStarted,
  JobStartParams,
  RunningJob,
} from "./job-protocol.ts";
import type { Figures } from "../base/figures.ts";
import type { Usage } from "../base/usage.ts";

/** Raised when a message of ours changes so that an older side would misread it. */
export const BROKER_PROTOCOL = 1;

/** What a client of ours adds to `initialize` as `params.broker`. */
export interface BrokerHelloParams {
  readonly protocol: number;
  /** Random, chosen by the client: the broker's proof is computed over it. */
  readonly nonce: string;
  /** The instance that the client expects to find, from the epoch file. */
  readonly instance?: string;
  /** Shown by `status`. */
  readonly pid?: number;
  /** For each request of this session that has no `params.broker`. */
  readonly whenBusy?: WhenBusy["whenBusy"];
}

export type BrokerState = "starting" | "serving" | "draining" | "stopping" | "ended";

export interface Versions {
  readonly broker: string;
  readonly build: string;
  readonly node: string;
  /** Unknown until the app-server has answered. */
  readonly codex: string | null;
}

export interface AppServerFacts {
  readonly pid: number | null;
  readonly version: string | null;
  /** Milliseconds since the app-server last answered anything; null before its first answer. */
  readonly lastAnswerMsAgo: number | null;
  /** Milliseconds for which a health probe has waited for its answer; 0 when none is overdue. */
  readonly unansweredMs: number;
}

/** What the broker adds to the answer to `initialize` as `result.broker`. */
export interface BrokerHello {
  readonly protocol: number;
  readonly instance: string;
  readonly epoch: number;
  readonly state: BrokerState;
  /** HMAC of the nonce under the epoch file's token: only the process that holds the epoch can make it. */
  readonly proof: string;
  readonly pid: number;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly versions: Versions;
  readonly appServer: AppServerFacts;
  /** What has changed since the broker started, in words: why a successor would start differently. */
  readonly drift?: string | null;
}

/** Answer to `broker/health`: given after the start has settled, and after a probe where one was due. */
export interface BrokerHealth {
  readonly state: BrokerState;
  readonly appServer: AppServerFacts;
}

export interface SessionStatus {
  readonly id: number;
  readonly client: string;
  readonly pid: number | null;
  /** Milliseconds since it connected. */
  readonly ageMs: number;
  readonly threads: number;
}

export interface TurnStatusEntry {
  readonly threadId: string;
  readonly turnId: string | null;
  /** The session that started it; null when that session has gone. */
  readonly session: number | null;
  readonly ageMs: number;
  /** Milliseconds since its last event. */
  readonly silentMs: number;
  /** What Codex has asked in it and nobody has answered yet. */
  readonly questions?: readonly OpenQuestion[];
}

/** A question of Codex that waits for its answer. */
export interface OpenQuestion {
  /** Codex's own name for it, such as `item/commandExecution/requestApproval`. */
  readonly method: string;
  /** The command, the message or the tool that it is about; cut, and foreign text. */
  readonly about: string | null;
  readonly ageMs: number;
  /** The sessions that were asked and may still answer. */
  readonly sessions: readonly number[];
}

/** `broker/closing`: the broker ends this connection, and why. */
export interface Closing {
  readonly error: BrokerErrorJson;
}

/** A session that the broker has ended. */
export interface Disconnected {
  readonly id: number;
  readonly client: string;
  readonly pid: number | null;
  readonly reason: ErrorKind;
  readonly agoMs: number;
}

/** Answer to `broker/status`. */
export interface BrokerStatus {
  readonly scope: string;
  readonly workspace: string;
  readonly stateDir: string;
  readonly epoch: number;
  readonly instance: string;
  readonly state: BrokerState;
  readonly pid: number;
  readonly startedAt: string;
  /** Windows: it is in a job of the program that started it, or of one above, and ends with that. */
  readonly endsWithHost: boolean;
  readonly endpoint: string;
  readonly versions: Versions;
  readonly appServer: AppServerFacts;
  readonly sessions: readonly SessionStatus[];
  /** The latest sessions that the broker itself has ended. */
  readonly disconnected: readonly Disconnected[];
  readonly threads: number;
  readonly turns: readonly TurnStatusEntry[];
  /**
   * For how long it has taken no new work, and after how long it interrupts the turns that still run:
   * null where it waits for them without a limit.
   */
  readonly drain: { readonly forMs: number; readonly limitMs: number | null } | null;
  readonly jobs: readonly RunningJob[];
  readonly usage: Usage;
  /** What this broker has seen since it started. */
  readonly figures: Figures;
}

export interface BrokerStopParams {
  /** Interrupt running turns instead of waiting for them. */
  readonly force?: boolean;
}

/** `broker/turnLost`: the terminal event of a turn whose end nobody knows: its app-server has gone, or does not say. */
export interface TurnLost {
  readonly threadId: string;
  readonly turnId: string | null;
  /** The thread was not saved either, and cannot be resumed. */
  readonly threadLost: boolean;
  readonly error: BrokerErrorJson;
}

/**
 * `params.broker` of a request that begins a turn: what becomes of it while its thread runs another.
 * Of `thread/resume`: while another app-server writes to the thread. Never sent on to Codex.
 */
export interface WhenBusy {
  /**
   * Default: "refuse", with `threadBusy`. "steer" has Codex add the input of a `turn/start` to the running
   * turn if this session has started that, and is "refuse" for everything else.
   */
  readonly whenBusy?: "refuse" | "queue" | "steer";
  /** Milliseconds to wait in the queue. Default: half an hour. */
  readonly deadlineMs?: number;
  /** The sender's own name for its place, to know it by in `broker/queued` and `broker/unqueue`. */
  readonly ticket?: string;
}

/** `broker/queued`: the place of a waiting request, when it gets one and whenever it changes. */
export interface Queued {
  readonly threadId: string;
  readonly ticket: string | null;
  /** 1 is the next. */
  readonly position: number;
  /** What it waits for. */
  readonly turn: TurnStatusEntry | null;
}

export interface UnqueueParams {
  readonly threadId: string;
  /** Default: all that this session has waiting for the thread. */
  readonly ticket?: string;
}

/**
 * `broker/missed`: of the running turn that was joined, so many of the first events were not kept any
 * more. `thread/turns/list` has what came of them.
 */
export interface MissedEvents {
  readonly threadId: string;
  readonly events: number;
}

/** `broker/draining`: no new work is taken any more; connect again for that. */
export interface Draining {
  readonly reason: string;
  /** Whether a successor is meant to take over: a broker that was stopped is not to be started again at once. */
  readonly reconnect: boolean;
  /** Whether something went wrong, and nobody asked the broker to end. */
  readonly abnormal: boolean;
}

/** Requests of ours, each with its parameters and its result. */
export interface BrokerRequests {
  "broker/health": { params: Record<string, never>; result: BrokerHealth };
  "broker/status": { params: Record<string, never>; result: BrokerStatus };
  "broker/turns": { params: Record<string, never>; result: { turns: readonly TurnStatusEntry[] } };
  "broker/jobs": { params: Record<string, never>; result: { jobs: readonly RunningJob[] } };
  "broker/job/start": { params: JobStartParams; result: JobStarted };
  /** From then on the session hears the job, and may answer its questions. */
  "broker/job/attach": { params: JobNamed; result: JobAttached };
  "broker/job/cancel": { params: JobNamed; result: JobCancelled };
  "broker/stop": { params: BrokerStopParams; result: { state: BrokerState; turns: number } };
  /** What was waiting is answered with `turnInterrupted`. */
  "broker/unqueue": { params: UnqueueParams; result: { unqueued: number } };
  /** From the published plugin: releases that client, and ends nothing that others use. */
  "broker/shutdown": { params: Record<string, never>; result: Record<string, never> };
}

/** The largest line a side accepts. Codex itself takes 1 MiB of text a turn; images come on top. */
export const MAX_LINE_BYTES = 128 * 1024 * 1024;

export function proofOf(token: string, nonce: string): string {
  return createHmac("sha256", token).update(nonce).digest("hex");
}

export function proofMatches(token: string, nonce: string, proof: string): boolean {
  const expected = Buffer.from(proofOf(token, nonce));
  const given = Buffer.from(proof);
  return expected.length === given.length && timingSafeEqual(expected, given);
}
