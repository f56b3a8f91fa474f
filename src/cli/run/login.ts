import { BrokerError } from "../../base/errors.ts";
import { Deadline } from "../../base/deadline.ts";
import type { BrokerClient } from "../../client/broker-client.ts";
import { RpcError } from "../../wire/messages.ts";

/** It takes about a millisecond; a slow answer must not hold up a turn that would work. */
const ANSWER_LIMIT_MS = 5_000;

/**
 * Without a login, a turn fails late and in words that do not say so.
 *
 * @throws BrokerError `notLoggedIn`, or `codexConfigInvalid` where that is the reason.
 */
export async function requireLogin(client: BrokerClient): Promise<void> {
  try {
    const options = { deadline: Deadline.after(ANSWER_LIMIT_MS) };
    const account = await client.request("account/read", { refreshToken: false }, options);
    if (account.account !== null || !account.requiresOpenaiAuth) return;
    await requireReadableConfig(client);
  } catch (error) {
    if (saysNothing(error)) return;
    throw error;
  }
  const message = "Codex is not logged in, and its model provider wants a login.";
  throw new BrokerError("notLoggedIn", message);
}

/** A configuration that cannot be read hides which provider is wanted: Codex then goes by its default. */
async function requireReadableConfig(client: BrokerClient): Promise<void> {
  try {
    await client.request("config/read", {}, { deadline: Deadline.after(ANSWER_LIMIT_MS) });
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    const message = `Codex cannot read its configuration: ${error.message}`;
    throw new BrokerError("codexConfigInvalid", message, { cause: error });
  }
}

/** The turn itself will show what is the matter. */
function saysNothing(error: unknown): boolean {
  return error instanceof RpcError || (BrokerError.is(error) && error.kind === "requestTimedOut");
}
