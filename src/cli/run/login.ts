import { BrokerError } from "../../base/errors.ts";
import { Deadline } from "../../base/deadline.ts";
import type { BrokerClient } from "../../client/broker-client.ts";
import { RpcError } from "../../wire/messages.ts";

/** It takes about a millisecond; a slow answer must not hold up a turn that would work. */
const ACCOUNT_LIMIT_MS = 5_000;

/**
 * Without a login, a turn fails late and in words that do not say so.
 *
 * @throws BrokerError `notLoggedIn`.
 */
export async function requireLogin(client: BrokerClient): Promise<void> {
  const options = { deadline: Deadline.after(ACCOUNT_LIMIT_MS) };
  try {
    const { account, requiresOpenaiAuth } = await client.request(
      "account/read",
      { refreshToken: false },
      options,
    );
    if (account !== null || !requiresOpenaiAuth) return;
  } catch (error) {
    if (saysNothing(error)) return;
    throw error;
  }
  throw new BrokerError(
    "notLoggedIn",
    "Codex is not logged in, and its model provider wants a login.",
  );
}

/** The turn itself will show what is the matter. */
function saysNothing(error: unknown): boolean {
  return error instanceof RpcError || (BrokerError.is(error) && error.kind === "requestTimedOut");
}
