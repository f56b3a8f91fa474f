import type { BrokerClient } from "../../client/broker-client.ts";
import type { BrokerStatus } from "../../wire/broker-protocol.ts";

export type BriefStatus = Omit<BrokerStatus, "sessions" | "turns" | "threads" | "figures">;

/** What the broker says of itself, without what goes on in it. The client is closed. */
export async function briefStatus(client: BrokerClient): Promise<BriefStatus> {
  const {
    sessions: _own,
    turns: _turns,
    threads: _threads,
    figures: _figures,
    ...status
  } = await client.status();
  client.close();
  return status;
}
