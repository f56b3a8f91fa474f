import { BrokerError } from "../base/errors.ts";
import type { WhenBusy } from "../wire/broker-protocol.ts";
import { withParams, type RequestFrame } from "../wire/frame.ts";
import { isRecord } from "../wire/messages.ts";

/** A wait for a thread ends some time; one who wants to wait longer says so. */
const DEFAULT_WAIT_MS = 30 * 60_000;

/** What a request wants when its thread is busy. */
export interface BusyWish {
  /** Milliseconds for which it would wait; undefined to be refused at once. */
  readonly waitMs: number | undefined;
  /** The session's own name for its place in the queue. */
  readonly ticket: string | null;
}

const REFUSE: BusyWish = { waitMs: undefined, ticket: null };

/** The request without what is meant for the broker alone, and what that says; or what is wrong with it. */
export function takeBusyWish(
  frame: RequestFrame,
): { readonly frame: RequestFrame; readonly wish: BusyWish } | BrokerError {
  if (!isRecord(frame.params) || !("broker" in frame.params)) return { frame, wish: REFUSE };
  const { broker, ...params } = frame.params;
  const wish = wishIn(broker);
  return BrokerError.is(wish) ? wish : { frame: withParams(frame, params), wish };
}

function wishIn(value: unknown): BusyWish | BrokerError {
  if (!isRecord(value)) return senseless("`params.broker` is an object");
  const { whenBusy, deadlineMs, ticket } = value as { [K in keyof WhenBusy]: unknown };
  if (whenBusy !== undefined && whenBusy !== "queue" && whenBusy !== "refuse") {
    return senseless('`whenBusy` is "queue" or "refuse"');
  }
  if (deadlineMs !== undefined && !(typeof deadlineMs === "number" && deadlineMs >= 0)) {
    return senseless("`deadlineMs` is a number of milliseconds");
  }
  if (ticket !== undefined && typeof ticket !== "string") return senseless("`ticket` is a string");
  const waitMs = whenBusy === "queue" ? (deadlineMs ?? DEFAULT_WAIT_MS) : undefined;
  return { waitMs, ticket: ticket ?? null };
}

function senseless(rule: string): BrokerError {
  return new BrokerError("invalidRequest", `${rule}.`, {
    hint: "See `params.broker` in docs/protocol.md.",
  });
}
