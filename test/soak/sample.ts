import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { BrokerStatus } from "../../src/index.ts";
import { withDescendants } from "../../bench/measure/processes.ts";
import { livingBrokers } from "../support/stop-brokers.ts";

/** What everything uses at a moment at which nothing runs. */
export interface Sample {
  readonly turns: number;
  readonly sessions: number;
  readonly jobs: number;
  readonly epoch: number;
  readonly figures: Readonly<Record<Figure, number>>;
}

export const FIGURES = {
  brokerMiB: "broker MiB",
  appServerMiB: "app-server MiB",
  clientHeapMiB: "client heap MiB",
  brokerDescriptors: "broker descriptors",
  appServerDescriptors: "app-server descriptors",
  clientDescriptors: "client descriptors",
  processes: "processes",
  stateKiB: "state KiB",
  journalsKiB: "journals KiB",
} as const;

export type Figure = keyof typeof FIGURES;

const MIB = 2 ** 20;

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

export function takeFigures(status: BrokerStatus, stateDir: string): Sample["figures"] {
  collectGarbage();
  const { broker, appServer } = status.usage;
  const pids = livingBrokers(stateDir).map((record) => record.broker.pid);
  const state = sizeOf(stateDir, (path) => !isJournal(path));
  return {
    brokerMiB: (broker.rssBytes ?? 0) / MIB,
    appServerMiB: (appServer?.rssBytes ?? 0) / MIB,
    clientHeapMiB: process.memoryUsage().heapUsed / MIB,
    brokerDescriptors: broker.descriptors ?? 0,
    appServerDescriptors: appServer?.descriptors ?? 0,
    clientDescriptors: readdirSync("/proc/self/fd").length,
    processes: withDescendants(pids).length,
    stateKiB: state / 1024,
    journalsKiB: sizeOf(stateDir, isJournal) / 1024,
  };
}

function isJournal(path: string): boolean {
  return path.includes("/jobs/");
}

/** Files of a broker that ends may go while they are counted. */
function sizeOf(directory: string, counts: (path: string) => boolean): number {
  let sum = 0;
  for (const name of readdirSync(directory, { recursive: true, encoding: "utf8" })) {
    const path = join(directory, name);
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats?.isFile() === true && counts(path)) sum += stats.size;
  }
  return sum;
}
