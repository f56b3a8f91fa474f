import { figure, type Benchmark } from "../benchmark.ts";
import { cheapRequest } from "../workloads/cheap.ts";
import { openFloor, openPipeEcho, socketRoundTrip } from "../contenders/floor.ts";
import { openSocket } from "../contenders/line-client.ts";
import { OpenThings } from "../open-things.ts";
import { inTurn, type Probe } from "../measure/in-turn.ts";
import { difference, median, pairwise, spreadOf } from "../measure/statistics.ts";
import { timed } from "../measure/stopwatch.ts";

/** Single requests are quick and uneven: each probe gives the median of so many. */
const REQUESTS = 200;

export const oneAtATime: Benchmark = {
  name: "one-at-a-time",
  async run({ ground, contenders, quick, times }) {
    await using things = new OpenThings();
    const medianOf = async (request: () => Promise<unknown>): Promise<number> => {
      const took: number[] = [];
      while (took.length < (quick ? 5 : REQUESTS)) took.push(await timed(request));
      return median(took);
    };
    const probes: Record<string, Probe> = {};
    for (const contender of contenders) {
      const client = await things.use(await contender.open(ground)).connect();
      probes[contender.name] = () => medianOf(() => cheapRequest(client));
    }
    const socket = await openSocket(things.use(await openFloor(ground, "echo")).path);
    probes["floor: socket echo"] = () => medianOf(() => socketRoundTrip(socket));
    const pipe = things.use(openPipeEcho());
    probes["floor: pipe echo"] = () => medianOf(() => pipe.roundTrip());

    const results: Record<string, number[]> = await inTurn(times(20), probes, 3);
    socket.destroy();
    const ours = results[contenders[0]!.name] ?? [];
    const direct = results["private stdio"] ?? [];
    return [
      {
        what: "one cheap request at a time",
        figure: figure("over private stdio", "ms", spreadOf(pairwise(ours, direct, difference))),
        limit: 0.1,
        measured: Object.entries(results).map(([name, each]) => figure(name, "ms", spreadOf(each))),
      },
    ];
  },
};
