import { BrokerError } from "../../base/errors.ts";
import { Deadline } from "../../base/deadline.ts";
import { findBroker } from "../../lifecycle/ensure.ts";
import type { ServingRecord } from "../../lifecycle/epoch-file.ts";
import { makeContact, type Introduction, type Link } from "../../lifecycle/contact.ts";
import type { Seen } from "../../lifecycle/look.ts";
import type { Scope } from "../../lifecycle/scope.ts";
import { livenessOf } from "../../os/process-identity.ts";
import type { BrokerStatus } from "../../wire/broker-protocol.ts";
import type { Connection } from "../../wire/connection.ts";
import { clientInfo } from "./wanted.ts";

/** The broker answers this from memory. */
const STATUS_LIMIT_MS = 5_000;
/** For one of many: ten that do not answer must not make ten waits of it. */
const RECORDED_LIMIT_MS = 1_500;

export function introductionOf(command: string): Introduction {
  return {
    clientInfo: { ...clientInfo(command), title: null },
    capabilities: { experimentalApi: false, requestAttestation: false },
    handlers: () => ({}),
  };
}

export interface Found {
  readonly seen: Seen;
  /** Open when there is a broker that can be talked to, whatever the verdict on it. */
  readonly link?: Link;
}

/**
 * Looks for the scope's broker without starting one.
 *
 * @throws BrokerError `sandboxDenied`, `protocolMismatch`, what the broker rejects this client with, or why
 *   it could not be asked: then nothing can be said about it.
 */
export async function lookForBroker(scope: Scope, command: string): Promise<Found> {
  const seen = await findBroker(scope, introductionOf(command));
  const { verdict, link } = seen;
  if (verdict.error !== undefined && verdict.step === "fail") {
    throw BrokerError.fromJSON(verdict.error);
  }
  if (verdict.verdict === "denied" || verdict.verdict === "incompatible") {
    link?.connection.close();
    const kind = verdict.verdict === "denied" ? "sandboxDenied" : "protocolMismatch";
    throw new BrokerError(kind, `The broker cannot be asked: ${verdict.reason}.`);
  }
  return link === undefined ? { seen } : { seen, link };
}

/** The record of a broker that listens no more and has not ended yet. */
export function windingDown({ observation }: Seen): ServingRecord | undefined {
  if (observation.state !== "serving" || observation.contact.kind !== "refused") return undefined;
  return livenessOf(observation.record.broker) === "alive" ? observation.record : undefined;
}

/** What the broker says of itself, without the session that this very question needed. */
export async function askStatus(connection: Connection): Promise<BrokerStatus> {
  const deadline = Deadline.after(STATUS_LIMIT_MS);
  const status = (await connection.request("broker/status", {}, { deadline })) as BrokerStatus;
  return { ...status, sessions: status.sessions.filter(({ pid }) => pid !== process.pid) };
}

/** What the broker that a record names says of itself; undefined when it does not answer. */
export async function askRecorded(
  record: ServingRecord,
  command: string,
): Promise<BrokerStatus | undefined> {
  const deadline = Deadline.after(RECORDED_LIMIT_MS);
  const { link } = await makeContact(record, introductionOf(command), deadline);
  if (link === undefined) return undefined;
  try {
    return await askStatus(link.connection);
  } catch {
    return undefined;
  } finally {
    link.connection.close();
  }
}
