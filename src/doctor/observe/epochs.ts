import { Deadline } from "../../base/deadline.ts";
import { BROKER_VERSION } from "../../base/version.ts";
import { censusOf, listScopes } from "../../lifecycle/census.ts";
import { makeContact, type Introduction } from "../../lifecycle/contact.ts";
import { isProvenGone } from "../../lifecycle/departed.ts";
import { hasOtherCause } from "../../lifecycle/drift.ts";
import type { EpochReading, ServingRecord } from "../../lifecycle/epoch-file.ts";
import { forgottenSince } from "../../lifecycle/sign-of-life.ts";
import { provenDescendants } from "../../os/kill-tree.ts";
import { isPrivate } from "../../os/private-directory.ts";
import { livenessOf } from "../../os/process-identity.ts";
import type { BrokerStatus } from "../../wire/broker-protocol.ts";
import type { Connection } from "../../wire/connection.ts";
import { isRecord } from "../../wire/messages.ts";
import type { AccountSeen, EpochSeen, ScopeSeen, ServingSeen } from "../observations.ts";

/** Healthy brokers answer in milliseconds; all are asked at once. */
const ANSWER_WITHIN_MS = 3_000;

export const introduction: Introduction = {
  clientInfo: { name: "codex-broker doctor", title: null, version: BROKER_VERSION },
  capabilities: {},
  handlers: () => ({}),
};

/**
 * Every scope, each broker asked. What lies in a directory that others could have prepared is not
 * even read: it may name anybody.
 *
 * @param codexHome Brokers of this one are asked for the login as well.
 */
export async function observeScopes(
  stateDir: string,
  codexHome: string | undefined,
): Promise<ScopeSeen[]> {
  const scopes = listScopes(stateDir).filter(({ directory }) => isPrivate(directory));
  return await Promise.all(
    scopes.map(async ({ key, directory }) => {
      const { epochs } = censusOf(key, directory);
      const seen = epochs.map(async (reading) => await observeEpoch(directory, reading, codexHome));
      return { key, directory, epochs: await Promise.all(seen) };
    }),
  );
}

async function observeEpoch(
  directory: string,
  reading: EpochReading,
  codexHome: string | undefined,
): Promise<EpochSeen> {
  if (reading.state === "unreadable") return { reading };
  const { record } = reading;
  if (record.state === "ended") return { reading, hasOtherCause: await hasOtherCause(record) };
  if (record.state === "serving") {
    return { reading, serving: await observeServing(directory, record, codexHome) };
  }
  return {
    reading,
    claimant: livenessOf(record.claimant),
    claimantOfAnotherBoot: isProvenGone(record),
  };
}

async function observeServing(
  directory: string,
  record: ServingRecord,
  codexHome: string | undefined,
): Promise<ServingSeen> {
  const broker = livenessOf(record.broker);
  const { appServer } = record;
  const forgotten = forgottenSince(directory, record);
  const facts = {
    broker,
    ...(forgotten === undefined ? {} : { forgotten }),
    appServer: appServer === null ? null : livenessOf(appServer),
    descendants: appServer === null ? 0 : provenDescendants(appServer).length,
  };
  if (broker === "gone") return facts;
  const deadline = Deadline.after(ANSWER_WITHIN_MS);
  const { contact, link } = await makeContact(record, introduction, deadline);
  if (link === undefined) return { ...facts, contact };
  const { connection, hello } = link;
  const wantsAccount = hello.state === "serving" && record.codexHome === codexHome;
  const [status, account] = await Promise.all([
    askStatus(connection, deadline),
    wantsAccount ? askAccount(connection, deadline) : undefined,
  ]);
  connection.close();
  return {
    ...facts,
    contact,
    ...(status === undefined ? {} : { status }),
    ...(account === undefined ? {} : { account }),
  };
}

async function askStatus(
  connection: Connection,
  deadline: Deadline,
): Promise<BrokerStatus | undefined> {
  try {
    return (await connection.request("broker/status", {}, { deadline })) as BrokerStatus;
  } catch {
    // It has said hello, which is what counts.
    return undefined;
  }
}

async function askAccount(
  connection: Connection,
  deadline: Deadline,
): Promise<AccountSeen | undefined> {
  try {
    const answer = await connection.request("account/read", { refreshToken: false }, { deadline });
    if (!isRecord(answer) || typeof answer["requiresOpenaiAuth"] !== "boolean") return undefined;
    const account = answer["account"] ?? null;
    return { loggedIn: account !== null, needed: answer["requiresOpenaiAuth"] };
  } catch {
    // Then the file has to do.
    return undefined;
  }
}
