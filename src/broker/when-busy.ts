import { BrokerError } from "../base/errors.ts";
import type { WhenBusy } from "../wire/broker-protocol.ts";
import { withParams, type RequestFrame } from "../wire/frame.ts";
import { isRecord } from "../wire/messages.ts";

/** A wait for a thread ends some time; one who wants to wait longer says so. */
const DEFAULT_WAIT_MS = 30 * 60_000;

type Choice = NonNullable<WhenBusy["whenBusy"]>;
const CHOICES: readonly unknown[] = ["queue", "refuse", "steer"] satisfies Choice[];

/** What a request wants when its thread is busy. */
export interface BusyWish {
  /** Milliseconds for which it would wait; undefined to be refused at once. */
  readonly waitMs: number | undefined;
  /** Whether it may be added to a turn of its own session. */
  readonly steers: boolean;
  /** The session's own name for its place in the queue. */
  readonly ticket: string | null;
}

/** What a session chooses for its requests in `initialize`. */
export function choiceIn(value: unknown): Choice {
  return isChoice(value) ? value : "refuse";
}

/**
 * The request without what is meant for the broker alone, and what that says; or what is wrong with it.
 *
 * @param otherwise What the session has chosen for requests that say nothing.
 */
export function takeBusyWish(
  frame: RequestFrame,
  otherwise: Choice,
): { readonly frame: RequestFrame; readonly wish: BusyWish } | BrokerError {
  if (!isRecord(frame.params) || !("broker" in frame.params)) {
    return { frame, wish: wishOf(otherwise) };
  }
  const { broker, ...params } = frame.params;
  const wish = wishIn(broker, otherwise);
  return BrokerError.is(wish) ? wish : { frame: withParams(frame, params), wish };
}

function wishIn(value: unknown, otherwise: Choice): BusyWish | BrokerError {
  if (!isRecord(value)) return senseless("`params.broker` is an object");
  const { whenBusy, deadlineMs, ticket } = value as { [K in keyof WhenBusy]: unknown };
  if (whenBusy !== undefined && !isChoice(whenBusy)) {
    return senseless('`whenBusy` is "queue", "refuse" or "steer"');
  }
  if (deadlineMs !== undefined && !(typeof deadlineMs === "number" && deadlineMs >= 0)) {
    return senseless("`deadlineMs` is a number of milliseconds");
  }
  if (ticket !== undefined && typeof ticket !== "string") return senseless("`ticket` is a string");
  return wishOf(whenBusy ?? otherwise, deadlineMs, ticket);
}

function wishOf(choice: Choice, deadlineMs = DEFAULT_WAIT_MS, ticket?: string): BusyWish {
  return {
    waitMs: choice === "queue" ? deadlineMs : undefined,
    steers: choice === "steer",
    ticket: ticket ?? null,
  };
}

function isChoice(value: unknown): value is Choice {
  return CHOICES.includes(value);
}

function senseless(rule: string): BrokerError {
  return new BrokerError("invalidRequest", `${rule}.`, {
    hint: "See `params.broker` in docs/protocol.md.",
  });
}
