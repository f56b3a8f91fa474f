import { spawn } from "node:child_process";
import { pause } from "../../src/base/deadline.ts";
import { figure, type Benchmark, type Figure } from "../benchmark.ts";
import { cheapRequest } from "../workloads/cheap.ts";
import { ended } from "../child.ts";
import { openBroker } from "../contenders/this-broker.ts";
import { cpuMs, privateBytes, residentBytes, sleeps } from "../measure/processes.ts";
import { median, spreadOf } from "../measure/statistics.ts";

const MIB = 1_024 * 1_024;
/** What the start and the first clients have caused is over by then: V8 gives back for 20 s what they took. */
const SETTLED_MS = 25_000;

export const idle: Benchmark = {
  name: "idle",
  async run({ ground, quick, times }) {
    await using broker = await openBroker(ground);
    const client = await broker.connect();
    await cheapRequest(client);
    client.close();
    const bare = spawn(process.execPath, ["-e", "setInterval(() => {}, 2 ** 30)"], {
      stdio: ["pipe", "ignore", "inherit"],
    });
    const pids = { broker: broker.pid, bare: bare.pid ?? 0, appServer: broker.appServerPid };
    await pause(quick ? 100 : SETTLED_MS);
    const windowMs = quick ? 200 : 5_000;
    const taken: Array<{ cpu: number; wakes: number; bareWakes: number }> = [];
    while (taken.length < times(5)) {
      const before = [cpuMs(pids.broker), sleeps(pids.broker), sleeps(pids.bare)] as const;
      await pause(windowMs);
      taken.push({
        cpu: ((cpuMs(pids.broker) - before[0]) / windowMs) * 100,
        wakes: ((sleeps(pids.broker) - before[1]) / windowMs) * 1_000,
        bareWakes: ((sleeps(pids.bare) - before[2]) / windowMs) * 1_000,
      });
    }
    const memory = (name: string, pid: number): Figure[] => [
      { name, unit: "MiB", value: residentBytes(pid) / MIB },
      { name: `${name}, no files`, unit: "MiB", value: privateBytes(pid) / MIB },
    ];
    const measured = [
      ...memory("this broker", pids.broker),
      ...memory("floor: an idle Node", pids.bare),
      ...memory("its app-server", pids.appServer),
    ];
    const over = (residentBytes(pids.broker) - residentBytes(pids.bare)) / MIB;
    await ended(bare, () => bare.kill());
    return [
      {
        what: "an idle broker: processor time",
        figure: figure("of one core", "%", spreadOf(taken.map(({ cpu }) => cpu))),
        limit: 0.05,
        measured: [
          figure("wake-ups of all its threads", "/s", spreadOf(taken.map(({ wakes }) => wakes))),
          {
            name: "of an idle Node",
            unit: "/s",
            value: median(taken.map((each) => each.bareWakes)),
          },
        ],
      },
      {
        what: "an idle broker: memory",
        figure: { name: "over an idle Node", unit: "MiB", value: over },
        limit: 15,
        measured,
      },
    ];
  },
};
