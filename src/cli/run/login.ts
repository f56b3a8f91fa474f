import { BrokerError } from "../../base/errors.ts";
import { Deadline } from "../../base/deadline.ts";
import type { BrokerClient } from "../../client/broker-client.ts";
import { RpcError } from "../../wire/messages.ts";

/** It takes about a millisecond; a slow answer must not hold up a turn that would work. */
const ANSWER_LIMIT_MS = 5_000;

export type Login =
  | { readonly state: "there"; readonly type: string }
  /** The model provider wants none. */
  | { readonly state: "notNeeded" }
  | { readonly state: "missing" }
  /** Codex does not say, or not in time: that is no reason to think that it is missing. */
  | { readonly state: "unknown" };

/**
 * What Codex itself says of the login.
 *
 * @throws BrokerError `codexConfigInvalid`, or why nobody can be asked.
 */
export async function askLogin(client: BrokerClient): Promise<Login> {
  try {
    const options = { deadline: Deadline.after(ANSWER_LIMIT_MS) };
    const { account, requiresOpenaiAuth } = await client.request(
      "account/read",
      { refreshToken: false },
      options,
    );
    if (account !== null) return { state: "there", type: account.type };
    if (!requiresOpenaiAuth) return { state: "notNeeded" };
    await requireReadableConfig(client);
    return { state: "missing" };
  } catch (error) {
    if (saysNothing(error)) return { state: "unknown" };
    throw error;
  }
}

/**
 * Without a login, a turn fails late and in words that do not say so.
 *
 * @throws BrokerError `notLoggedIn`, or `codexConfigInvalid` where that is the reason.
 */
export async function requireLogin(client: BrokerClient): Promise<void> {
  const { state } = await askLogin(client);
  if (state !== "missing") return;
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
export function saysNothing(error: unknown): boolean {
  return error instanceof RpcError || (BrokerError.is(error) && error.kind === "requestTimedOut");
}
