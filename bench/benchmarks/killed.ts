import { connectBroker } from "../../src/index.ts";
import { figure, type Benchmark } from "../benchmark.ts";
import { openBroker } from "../contenders/this-broker.ts";
import { runTurn, startThread } from "../workloads/turn.ts";
import { inTurn } from "../measure/in-turn.ts";
import { pairwise, ratio, spreadOf } from "../measure/statistics.ts";

/** The broker is killed in the middle of a turn. */
export const killed: Benchmark = {
  name: "killed",
  async run({ ground, times }) {
    const known: number[] = [];
    let next = 0;
    const results = await inTurn(
      times(10),
      {
        async served() {
          await using place = ground.elsewhere(`killed-${(next += 1)}`);
          const broker = await openBroker(place);
          const client = await broker.connect();
          const threadId = await startThread(client);
          let struckAt = 0;
          // At its first word.
          const strike = (): void => {
            if (struckAt > 0) return;
            struckAt = performance.now();
            process.kill(broker.pid, "SIGKILL");
          };
          await runTurn(client, threadId, "slow: 200x10ms tick", strike).catch(() => {});
          known.push(performance.now() - struckAt);
          return await servedWithin(place.wanted);
        },
        async cold() {
          await using place = ground.elsewhere(`killed-${(next += 1)}`);
          return await servedWithin(place.wanted);
        },
      },
      0,
    );
    return [
      {
        what: "killed in a turn: until its client knows",
        figure: figure("until it knows", "ms", spreadOf(known)),
        limit: 20,
        measured: [],
      },
      {
        what: "killed in a turn: until the next client is served",
        figure: figure(
          "of a cold start",
          "×",
          spreadOf(pairwise(results.served, results.cold, ratio)),
        ),
        limit: 1.2,
        measured: [
          figure("the next client", "ms", spreadOf(results.served)),
          figure("a cold start", "ms", spreadOf(results.cold)),
        ],
      },
    ];
  },
};

async function servedWithin(wanted: Parameters<typeof connectBroker>[0]): Promise<number> {
  const startedAt = performance.now();
  const client = await connectBroker(wanted);
  await client.request("thread/loaded/list", { limit: 1 });
  const took = performance.now() - startedAt;
  client.close();
  return took;
}
