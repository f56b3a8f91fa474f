import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { figure, type Benchmark } from "../benchmark.ts";
import { OpenThings } from "../open-things.ts";
import { thisBroker, openBroker } from "../contenders/this-broker.ts";
import { inTurn, type Probe } from "../measure/in-turn.ts";
import { peakBytes, residentBytes } from "../measure/processes.ts";
import { pairwise, ratio, spreadOf } from "../measure/statistics.ts";

const MIB = 1_024 * 1_024;

/**
 * One message of that size, as an item of a turn may be. It is the answer to a request for a file,
 * because the app-server itself takes 20 s for a turn with such an item, and nothing else would show.
 */
export const large: Benchmark = {
  name: "large",
  async run({ ground, contenders, quick, times }) {
    await using things = new OpenThings();
    const size = (quick ? 1 : 32) * MIB;
    // It is sent as base64.
    const path = join(ground.dir, "large");
    await writeFile(path, Buffer.alloc((size / 4) * 3, "x"));
    const broker = things.use(await openBroker(ground));
    const probes: Record<string, Probe> = {};
    for (const contender of contenders) {
      const opened = contender === thisBroker ? broker : things.use(await contender.open(ground));
      probes[contender.name] = async () => {
        const client = await opened.connect();
        const startedAt = performance.now();
        await client.request("fs/readFile", { path });
        const took = performance.now() - startedAt;
        client.close();
        return took;
      };
    }
    const before = residentBytes(broker.pid);
    const results: Record<string, number[]> = await inTurn(times(5), probes);
    const ours = results[thisBroker.name] ?? [];
    return [
      {
        what: `one message of ${size / MIB} MiB`,
        figure: figure(
          "of private stdio",
          "×",
          spreadOf(pairwise(ours, results["private stdio"] ?? [], ratio)),
        ),
        limit: 1.5,
        measured: Object.entries(results).map(([name, each]) => figure(name, "ms", spreadOf(each))),
      },
      {
        what: `the broker's memory for a message of ${size / MIB} MiB, at most`,
        figure: {
          name: "of the message",
          unit: "×",
          value: (peakBytes(broker.pid) - before) / size,
        },
        limit: 8,
        measured: [
          { name: "the broker at its peak", unit: "MiB", value: peakBytes(broker.pid) / MIB },
          { name: "the broker before", unit: "MiB", value: before / MIB },
        ],
      },
    ];
  },
};
