import { BrokerError } from "../../base/errors.ts";
import type { Outcome } from "../../wire/connection.ts";
import { fromRpcError, isRecord } from "../../wire/messages.ts";

/** What a message says of threads, and an outcome of its request. */

export function threadIn(params: unknown): string | undefined {
  const threadId = isRecord(params) ? params["threadId"] : undefined;
  return typeof threadId === "string" ? threadId : undefined;
}

export function isRefusal(outcome: Outcome): boolean {
  return BrokerError.is(outcome) || outcome.error !== undefined;
}

export function refusedForDraining(outcome: Outcome): boolean {
  if (BrokerError.is(outcome) || outcome.error === undefined) return false;
  const error = fromRpcError(outcome.error);
  return BrokerError.is(error) && error.kind === "draining";
}
