import { connectBroker } from "../../src/index.ts";
import { figure, type Benchmark } from "../benchmark.ts";
import { cheapRequest } from "../workloads/cheap.ts";
import { openFloor, socketRoundTrip } from "../contenders/floor.ts";
import { OpenThings } from "../open-things.ts";
import { openSocket } from "../contenders/line-client.ts";
import { inTurn, type Probe } from "../measure/in-turn.ts";
import { pairwise, ratio, spreadOf } from "../measure/statistics.ts";
import { timed } from "../measure/stopwatch.ts";

export const warmConnect: Benchmark = {
  name: "warm-connect",
  async run({ ground, contenders, times }) {
    await using things = new OpenThings();
    const floor = things.use(await openFloor(ground, "echo"));
    const others: Record<string, Probe> = {};
    for (const contender of contenders) {
      const opened = things.use(await contender.open(ground));
      // An app-server of one's own is never warm.
      if (contender.name === "private stdio") continue;
      const name = contender === contenders[0] ? `${contender.name}, bare client` : contender.name;
      others[name] = () =>
        timed(async () => {
          const client = await opened.connect();
          await cheapRequest(client);
          client.close();
        });
    }
    const results = await inTurn(
      times(200),
      {
        ours: () =>
          timed(async () => {
            const client = await connectBroker(ground.wanted);
            await client.request("thread/loaded/list", { limit: 1 });
            client.close();
          }),
        ...others,
        floor: () =>
          timed(async () => {
            const socket = await openSocket(floor.path);
            await socketRoundTrip(socket);
            socket.destroy();
          }),
      },
      20,
    );
    const { ours, floor: bare, ...rest } = results as Record<string, number[]>;
    return [
      {
        what: "warm, in a program: connect, hello, first answer",
        figure: figure("of the floor", "×", spreadOf(pairwise(ours ?? [], bare ?? [], ratio))),
        limit: 1.5,
        measured: [
          figure("this broker", "ms", spreadOf(ours ?? [])),
          ...Object.entries(rest).map(([name, values]) => figure(name, "ms", spreadOf(values))),
          figure("floor: connect and one echo", "ms", spreadOf(bare ?? [])),
        ],
      },
    ];
  },
};
