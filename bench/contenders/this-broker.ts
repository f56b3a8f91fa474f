import { pause } from "../../src/base/deadline.ts";
import { stopBrokers } from "../../test/support/stop-brokers.ts";
import { connectBroker } from "../../src/index.ts";
import type { Contender, Opened } from "./contender.ts";
import type { Ground } from "../ground.ts";
import { socketClient } from "./line-client.ts";

/** A second after its start a broker starts the thread that watches over it: 40 ms of processor time, once. */
const WATCHED_AFTER_MS = 1_500;

export interface OpenedBroker extends Opened {
  readonly endpoint: string;
  readonly pid: number;
  readonly appServerPid: number;
}

export async function openBroker(ground: Ground): Promise<OpenedBroker> {
  const first = await connectBroker(ground.wanted);
  const { endpoint, pid, appServer } = await first.status();
  first.close();
  const appServerPid = appServer.pid ?? 0;
  await pause(WATCHED_AFTER_MS);
  return {
    endpoint,
    pid,
    appServerPid,
    connect: () => socketClient(endpoint),
    processes: () => ({ brokers: [pid], appServers: [appServerPid] }),
    [Symbol.asyncDispose]: () => stopBrokers(ground.stateDir),
  };
}

export const thisBroker: Contender = { name: "this broker", shares: true, open: openBroker };
