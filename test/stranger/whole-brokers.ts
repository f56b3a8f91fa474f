import { join } from "node:path";
import { connectBroker } from "../../src/index.ts";
import { epochPath, publishEpoch, readEpoch } from "../../src/lifecycle/epoch-file.ts";
import type { ServingRecord } from "../../src/lifecycle/epoch-file.ts";
import { resolveScope } from "../../src/lifecycle/scope.ts";
import { removeIfThere } from "../../src/os/atomic-file.ts";
import { eventually } from "../support/eventually.ts";
import { runNode } from "../support/node-process.ts";
import { makeWorld, type World } from "../support/world.ts";
import { wrongNames, type Named } from "./names.ts";
import { isFree } from "./recycled.ts";
import { Stranger } from "./stranger.ts";
import { noteReached, type Row } from "./tally.ts";

const BURIED_WITHIN_MS = 90_000;

/** What a user may type while strangers bear the names of brokers. */
const COMMANDS: readonly (readonly string[])[] = [
  ["status", "--json"],
  ["ps", "--all", "--json"],
  ["ensure", "--json"],
  ["rotate", "--json"],
  ["stop", "--force", "--json"],
];

/** It waits for whatever may just be ending: too long for the one round of the short form. */
const DOCTOR: readonly string[] = ["doctor", "--fix", "--json"];

/**
 * A broker and its app-server are killed and their pids given to strangers, one with the broker's very
 * command line; then the next one is started over a directory in which records name them, and others,
 * in every wrong way. It attends to all of them before it buries the oldest.
 */
export async function wholeBrokers(row: Row, rounds: number, root: string): Promise<void> {
  const codex = join(root, "test/support/fake-app-server.mjs");
  for (let round = 0; round < rounds; round += 1) {
    await using world = await makeWorld({ codex });
    const record = await killedBroker(world);
    const { broker, appServer } = record;
    if (appServer === null) throw new Error("it had no app-server");
    const scope = resolveScope({ cwd: world.workspace, env: world.env });
    const args = [`${root}/dist/broker.cjs`, `--scope=${scope.shortKey}`, "--epoch=1"];
    const inPlaceOfBroker = await Stranger.withPid(broker.pid, process.execPath, args);
    const inPlaceOfAppServer = await Stranger.withPid(
      appServer.pid,
      world.env["CODEX_BROKER_CODEX"],
    );
    const strangers = [inPlaceOfBroker, inPlaceOfAppServer];
    const asBroker = wrongNames(broker, broker.pid, appServer.pid);
    const asAppServer = wrongNames(appServer, appServer.pid, broker.pid);
    const epochs = publishAll(scope.directory, record, asBroker, asAppServer);
    const client = await connectBroker({ cwd: world.workspace, env: world.env });
    await eventually(() => isBuried(scope.directory, 1), "the oldest is buried", BURIED_WITHIN_MS);
    client.close();
    const commands = round === 0 ? COMMANDS : [DOCTOR, ...COMMANDS];
    for (const command of commands) {
      const arguments_ = [join(root, "dist/cli.cjs"), ...command];
      await runNode(arguments_, world.env, world.workspace);
    }
    row.rounds += 1;
    row.calls += epochs.length + commands.length;
    for (const stranger of strangers) noteReached(row, await stranger.leave());
    // Whoever cleans up would take them for brokers that are still there.
    for (const epoch of epochs) removeIfThere(epochPath(scope.directory, epoch));
  }
}

async function killedBroker(world: World): Promise<ServingRecord> {
  const client = await connectBroker({ cwd: world.workspace, env: world.env });
  const { directory } = resolveScope({ cwd: world.workspace, env: world.env });
  const record = readEpoch(directory, client.epoch);
  if (record?.state !== "read" || record.record.state !== "serving") throw new Error("no broker");
  const { broker, appServer } = record.record;
  process.kill(broker.pid, "SIGKILL");
  await client.closed;
  const both = [broker, ...(appServer === null ? [] : [appServer])];
  await eventually(() => both.every(isFree), "both pids are free");
  return record.record;
}

/** Predecessors that were never there, each naming its broker and its app-server in one wrong way. */
function publishAll(
  directory: string,
  record: ServingRecord,
  asBroker: readonly Named[],
  asAppServer: readonly Named[],
): number[] {
  return asBroker.map(({ identity }, index) => {
    const epoch = record.epoch + 1 + index;
    const appServer = asAppServer[index]?.identity ?? null;
    publishEpoch(directory, { ...record, epoch, broker: identity, appServer });
    return epoch;
  });
}

function isBuried(directory: string, epoch: number): boolean {
  const reading = readEpoch(directory, epoch);
  return reading?.state === "read" && reading.record.state === "ended";
}
