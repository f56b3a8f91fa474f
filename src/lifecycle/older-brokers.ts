import { Deadline } from "../base/deadline.ts";
import { trace } from "../base/trace.ts";
import { BROKER_VERSION } from "../base/version.ts";
import { livenessOf } from "../os/process-identity.ts";
import type { BrokerRequests, TurnStatusEntry } from "../wire/broker-protocol.ts";
import { makeContact, type Introduction, type Link } from "./contact.ts";
import { listEpochs, readEpoch, type ServingRecord } from "./epoch-file.ts";

/** A broker that drains answers in milliseconds; one that does not is asked by nobody. */
const ANSWER_WITHIN_MS = 2_000;

/** A turn that goes on in a broker that was superseded. The caller closes the link. */
export interface OlderTurn {
  readonly epoch: number;
  readonly turn: TurnStatusEntry;
  readonly link: Link;
}

/** Brokers of the scope that were superseded and may still run turns, the newest first. */
export function olderBrokers(scopeDir: string, below: number): ServingRecord[] {
  return listEpochs(scopeDir)
    .filter((epoch) => epoch < below)
    .flatMap((epoch) => {
      const reading = readEpoch(scopeDir, epoch);
      if (reading?.state !== "read" || reading.record.state !== "serving") return [];
      return livenessOf(reading.record.broker) === "gone" ? [] : [reading.record];
    });
}

/** Asks the living brokers of the scope, from the newest down, which of them runs the thread's turn. */
export async function findOlderTurn(
  scopeDir: string,
  below: number,
  threadId: string,
): Promise<OlderTurn | undefined> {
  for (const record of olderBrokers(scopeDir, below)) {
    const deadline = Deadline.after(ANSWER_WITHIN_MS);
    const { link } = await makeContact(record, asSuccessor, deadline);
    if (link === undefined) continue;
    try {
      const answer = await link.connection.request("broker/turns", {}, { deadline });
      const { turns } = answer as BrokerRequests["broker/turns"]["result"];
      const turn = turns.find((one) => one.threadId === threadId);
      if (turn !== undefined) return { epoch: record.epoch, turn, link };
    } catch (error) {
      trace("info", "olderBrokers.notAsked", { epoch: record.epoch, error: String(error) });
    }
    link.connection.close();
  }
  return undefined;
}

/** How a broker introduces itself to those it has superseded. */
export const asSuccessor: Introduction = {
  clientInfo: { name: "codex-broker successor", title: null, version: BROKER_VERSION },
  capabilities: {},
  handlers: () => ({}),
};
