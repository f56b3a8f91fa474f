import { connectBroker } from "../../src/index.ts";
import { figure, type Benchmark } from "../benchmark.ts";
import { cheapRequest } from "../workloads/cheap.ts";
import { startPrivately } from "../contenders/private-stdio.ts";
import { inTurn, type Probe } from "../measure/in-turn.ts";
import { wholeProcess } from "../measure/processes.ts";
import { spreadOf } from "../measure/statistics.ts";

/** May be added to the start of what has to be started anyway. */
const MAY_ADD_MS = 40;

export const cold: Benchmark = {
  name: "cold",
  async run({ ground, contenders, times }) {
    const others: Record<string, Probe> = {};
    for (const contender of contenders.slice(1)) {
      if (contender.name === "private stdio") continue;
      others[contender.name] = async () => {
        const startedAt = performance.now();
        await using opened = await contender.open(ground);
        const client = await opened.connect();
        await cheapRequest(client);
        const took = performance.now() - startedAt;
        client.close();
        return took;
      };
    }
    let next = 1;
    const results: Record<string, number[]> = await inTurn(times(12), {
      ours: async () => {
        // Nothing of an earlier one is there.
        await using anew = ground.elsewhere(`cold-${(next += 1)}`);
        const startedAt = performance.now();
        const client = await connectBroker(anew.wanted);
        await client.request("thread/loaded/list", { limit: 1 });
        const took = performance.now() - startedAt;
        client.close();
        return took;
      },
      stdio: async () => {
        const startedAt = performance.now();
        const { client, close } = await startPrivately(ground);
        await cheapRequest(client);
        const took = performance.now() - startedAt;
        await close();
        return took;
      },
      ...others,
      node: () =>
        wholeProcess(process.execPath, ["-e", "0"], { env: ground.env, cwd: ground.workspace }),
    });
    const { ours = [], stdio = [], node = [], ...rest } = results;
    const added = ours.map((our, round) => our - (stdio[round] ?? 0) - (node[round] ?? 0));
    return [
      {
        what: "cold: from nothing to the first answer",
        figure: figure("over app-server and Node", "ms", spreadOf(added)),
        limit: MAY_ADD_MS,
        measured: [
          figure("this broker", "ms", spreadOf(ours)),
          figure("private stdio", "ms", spreadOf(stdio)),
          ...Object.entries(rest).map(([name, values]) => figure(name, "ms", spreadOf(values))),
          figure("floor: `node -e 0`", "ms", spreadOf(node)),
        ],
      },
    ];
  },
};
