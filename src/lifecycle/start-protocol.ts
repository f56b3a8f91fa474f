import type { BrokerErrorJson } from "../base/errors.ts";
import { MAX_LINE_BYTES } from "../wire/broker-protocol.ts";
import type { ClaimedRecord } from "./epoch-file.ts";
import type { Scope } from "./scope.ts";

/**
 * What a starter hands to the broker it starts, as one JSON line on its stdin: a token must stand
 * neither in an argument nor in the environment, which others can read.
 */
export interface StartOrder {
  readonly scope: Scope;
  readonly claim: ClaimedRecord;
  readonly limits: BrokerLimits;
  /** Options of `codex app-server`; others share it, unless the scope is private. */
  readonly appServerArguments?: readonly string[];
  /** Variables that the app-server is to have, and that the broker was started without. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** How much a broker takes on. What goes beyond is refused with a typed error, or told as missing. */
export interface BrokerCapacity {
  /** Connections that have said `initialize`; more get `tooManySessions`. */
  readonly maxSessions: number;
  /** How long a connection may take to say `initialize`; then it is closed. */
  readonly handshakeTimeoutMs: number;
  /** Threads that are loaded for somebody; more get `tooManyThreads`. */
  readonly maxThreads: number;
  /** Requests of one session that wait for a place; more get `tooManyRequests`. */
  readonly maxWaitingRequests: number;
  /** Turns that wait for one thread; more get `tooManyRequests`. */
  readonly maxQueuedTurns: number;
  /** Bytes of one message of a client; more get `frameTooLarge`. */
  readonly maxLineBytes: number;
  /**
   * Bytes of all messages together whose end has not come; beyond it the one that has waited longest gets
   * `frameTooLarge`. No message may be longer.
   */
  readonly maxUnfinishedBytes: number;
  /** Bytes that a client may leave unread; then it gets `clientTooSlow` and the end of its connection. */
  readonly maxUnreadBytes: number;
  /** Events of a thread that are kept until somebody hears it; `broker/missed` tells of more. */
  readonly maxHeldEvents: number;
  /** Bytes of a turn's events that are kept for whoever joins it; `broker/missed` tells of more. */
  readonly maxBacklogBytes: number;
}

export interface BrokerLimits extends BrokerCapacity {
  /** Without session and turn for this long, the broker ends. */
  readonly idleTimeoutMs: number;
  /**
   * How long the turns of a broker that was stopped may still run; then it interrupts them. A broker
   * that is replaced waits for its turns without a limit.
   */
  readonly drainTimeoutMs: number;
  /** 0 turns the limit off. */
  readonly maxAgeMs: number;
  /** How long an approval or another question of Codex may wait for its answer; then it is declined. */
  readonly answerTimeoutMs: number;
  /** Of the broker, its app-server and everything that this has started, together. 0 turns it off. */
  readonly maxMemoryBytes: number;
  /** How much of its soft limit on descriptors the broker or its app-server may have open. 0 turns it off. */
  readonly maxDescriptorPercent: number;
  /** How many processes the app-server may have started that still run. 0 turns it off. */
  readonly maxDescendants: number;
  /** How many turns in a row may fail because the model cannot be reached. 0 turns it off. */
  readonly maxTransportFailures: number;
  /**
   * A younger broker does not end for what it uses or for its failures. Doubled, up to six hours, for
   * each predecessor in a row that ended so: what a new app-server does not mend, many do not either.
   */
  readonly minWearAgeMs: number;
}

const MIB = 1024 * 1024;

export const DEFAULT_LIMITS: BrokerLimits = {
  idleTimeoutMs: 15 * 60_000,
  drainTimeoutMs: 30 * 60_000,
  maxAgeMs: 6 * 3_600_000,
  answerTimeoutMs: 10 * 60_000,
  maxMemoryBytes: 4e9,
  maxDescriptorPercent: 80,
  maxDescendants: 500,
  maxTransportFailures: 5,
  minWearAgeMs: 5 * 60_000,
  maxSessions: 1_000,
  handshakeTimeoutMs: 30_000,
  maxThreads: 1_000,
  maxWaitingRequests: 10_000,
  maxQueuedTurns: 100,
  maxLineBytes: MAX_LINE_BYTES,
  maxUnfinishedBytes: 2 * MAX_LINE_BYTES,
  maxUnreadBytes: 32 * MIB,
  maxHeldEvents: 1_000,
  maxBacklogBytes: 4 * MIB,
};

/** The one line that the broker pushes back on its descriptor 3 once it listens, or cannot. */
export type StartReport =
  | { readonly state: "serving"; readonly endpoint: string }
  | { readonly state: "failed"; readonly error: BrokerErrorJson };

export const REPORT_DESCRIPTOR = 3;

/**
 * A claim that has not led to a listening broker by then is given up, by everybody: it takes about
 * 0.1 s, and the rest is for machines under heavy load.
 */
export const CLAIM_LIMIT_MS = 10_000;
