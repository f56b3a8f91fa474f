import { identityOf, livenessOf } from "../../os/process-identity.ts";
import { occupationOf } from "../plugin/occupation.ts";
import type {
  PluginBroker,
  PluginBrokerSeen,
  PluginRecordSeen,
  PluginSeen,
} from "../plugin/plugin-broker.ts";
import { ageOf, pluginProcesses } from "../plugin/processes.ts";
import { doubtAbout } from "../plugin/proof.ts";
import { pluginRecords, recordOf, workspaceAt, type PluginRecord } from "../plugin/records.ts";
import { reach } from "./reach.ts";

/** Every broker of the published plugin that this user runs, and the records of this workspace. */
export async function observePlugin(
  workspace: string | undefined,
  env: NodeJS.ProcessEnv,
): Promise<PluginSeen> {
  const processes = pluginProcesses();
  const records = workspace === undefined ? [] : pluginRecords(workspace, env);
  return {
    brokers: await Promise.all(
      processes.map(async (broker) => await observeBroker(broker, workspace, records)),
    ),
    records: await Promise.all(
      records.map(async (record) => await observeRecord(record, processes)),
    ),
  };
}

async function observeBroker(
  broker: PluginBroker,
  workspace: string | undefined,
  records: readonly PluginRecord[],
): Promise<PluginBrokerSeen> {
  const { identity, socket, cwd } = broker;
  const doubt = doubtAbout(broker);
  const found = records.find(({ pid, socket: named }) => pid === identity.pid && named === socket);
  return {
    broker,
    ageMs: ageOf(identity),
    doubt,
    // Whoever is not proven to be one is not asked anything.
    occupation: doubt === undefined ? await occupationOf(broker) : { state: "unknown", why: doubt },
    record: found?.path ?? recordOf(broker) ?? null,
    ofWorkspace: cwd !== null && workspace !== undefined && workspaceAt(cwd) === workspace,
  };
}

async function observeRecord(
  { path, pid, socket }: PluginRecord,
  processes: readonly PluginBroker[],
): Promise<PluginRecordSeen> {
  const isThere = processes.some(
    (broker) => broker.identity.pid === pid && broker.socket === socket,
  );
  const runs = pid !== null && livenessOf(identityOf(pid)) !== "gone";
  return {
    path,
    pid,
    socket,
    process: isThere ? "alive" : runs ? "other" : "gone",
    // That it is there is told of the broker itself, which is not to be disturbed twice.
    reached: isThere ? "accepted" : socket === null ? "unknown" : await reach(socket),
  };
}
