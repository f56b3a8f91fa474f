import { onTrace } from "../../base/trace.ts";
import type { BrokerClient } from "../../client/broker-client.ts";
import { connectBroker } from "../../client/connect.ts";
import type { Given } from "../line/given.ts";
import type { scopeOptions, sharingOptions, startOptions } from "../options.ts";
import { clientInfo, wantedScope, wantedSharing, wantedStart } from "../workspace/wanted.ts";
import type { Interruption } from "./interruption.ts";
import { requireLogin } from "./login.ts";
import type { Reporter } from "./reporter.ts";

/** A broker with which a turn can begin: it is there, and Codex is logged in. What takes long is told. */
export async function connectForTurn(
  given: Given<typeof scopeOptions & typeof sharingOptions & typeof startOptions>,
  command: string,
  reporter: Reporter,
  interruption: Interruption,
): Promise<BrokerClient> {
  const undo = onTrace(({ event }) => {
    if (event === "ensure.superseding") reporter.preparing("starting a broker");
  });
  try {
    const client = await interruption.race(
      connectBroker({
        ...wantedScope(given),
        ...wantedSharing(given),
        ...wantedStart(given),
        clientInfo: clientInfo(command),
        signal: interruption.signal,
      }),
    );
    try {
      await interruption.race(requireLogin(client));
    } catch (error) {
      client.close();
      throw error;
    }
    return client;
  } finally {
    undo();
  }
}
