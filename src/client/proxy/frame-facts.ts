import { BrokerError } from "../../base/errors.ts";
import type { Outcome } from "../../wire/connection.ts";
import { fromRpcError } from "../../wire/messages.ts";

/** What an outcome says of its request. */

export function isRefusal(outcome: Outcome): boolean {
  return BrokerError.is(outcome) || outcome.error !== undefined;
}

export function refusedForDraining(outcome: Outcome): boolean {
  if (BrokerError.is(outcome) || outcome.error === undefined) return false;
  const error = fromRpcError(outcome.error);
  return BrokerError.is(error) && error.kind === "draining";
}
