import type { BrokerErrorJson } from "../base/errors.ts";
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
}

export interface BrokerLimits {
  /** Without session and turn for this long, the broker ends. */
  readonly idleTimeoutMs: number;
  /** How long running turns may go on after the broker was asked to end; then they are interrupted. */
  readonly drainTimeoutMs: number;
  /** 0 turns the limit off. */
  readonly maxAgeMs: number;
}

export const DEFAULT_LIMITS: BrokerLimits = {
  idleTimeoutMs: 15 * 60_000,
  drainTimeoutMs: 30 * 60_000,
  maxAgeMs: 6 * 3_600_000,
};

/** The one line that the broker pushes back on its descriptor 3 once it listens, or cannot. */
export type StartReport =
  | { readonly state: "serving"; readonly endpoint: string }
  | { readonly state: "failed"; readonly error: BrokerErrorJson };

export const REPORT_DESCRIPTOR = 3;
