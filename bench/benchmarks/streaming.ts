import { figure, type Benchmark, type Figure } from "../benchmark.ts";
import type { Client } from "../contenders/client.ts";
import type { Contender } from "../contenders/contender.ts";
import { runTurn, startThread } from "../workloads/turn.ts";
import { inTurn } from "../measure/in-turn.ts";
import { cpuMs } from "../measure/processes.ts";
import { difference, pairwise, quantile, ratio, spreadOf } from "../measure/statistics.ts";

const STREAMS = 10;
const PER_SECOND = 500;

interface Taken {
  readonly brokerMs: number;
  readonly appServerMs: number;
  readonly p50: number;
  readonly p99: number;
  readonly perSecond: number;
}

export const streaming: Benchmark = {
  name: "streaming",
  async run({ ground, contenders, quick, times }) {
    const deltas = quick ? 20 : PER_SECOND * 3;
    const prompt = `stream: ${deltas} deltas at ${PER_SECOND}/s of 24 bytes`;
    // The plugin's broker would do one stream after the other.
    const able = contenders.filter(({ name }) => name !== "the plugin's broker");
    const taken = new Map<string, Taken[]>(able.map(({ name }) => [name, []]));
    const probe = async (contender: Contender): Promise<number> => {
      await using opened = await contender.open(ground);
      const first = await opened.connect();
      const clients: Client[] = [];
      // Without a broker one program would not start ten app-servers for ten streams.
      while (clients.length < STREAMS) {
        clients.push(contender.shares ? await opened.connect() : first);
      }
      const threads = await Promise.all(clients.map(startThread));
      const { brokers, appServers } = opened.processes();
      const before = { broker: sum(brokers.map(cpuMs)), appServer: sum(appServers.map(cpuMs)) };
      const delays: number[] = [];
      const startedAt = performance.now();
      await Promise.all(
        clients.map((client, index) =>
          runTurn(client, threads[index]!, prompt, ({ emittedAtMs }) =>
            delays.push(performance.timeOrigin + performance.now() - (emittedAtMs ?? 0)),
          ),
        ),
      );
      const tookMs = performance.now() - startedAt;
      taken.get(contender.name)?.push({
        brokerMs: sum(brokers.map(cpuMs)) - before.broker,
        appServerMs: sum(appServers.map(cpuMs)) - before.appServer,
        p50: quantile(delays, 0.5),
        p99: quantile(delays, 0.99),
        perSecond: (delays.length / tookMs) * 1_000,
      });
      for (const client of clients) client.close();
      return 0;
    };
    await inTurn(
      times(5),
      Object.fromEntries(able.map((each) => [each.name, () => probe(each)])),
      0,
    );
    const ours = able[0]!.name;
    const of = (name: string, key: keyof Taken): number[] =>
      (taken.get(name) ?? []).map((each) => each[key]);
    const each = (what: string, key: keyof Taken, unit: Figure["unit"]): Figure[] =>
      able.map(({ name }) => figure(`${name}, ${what}`, unit, spreadOf(of(name, key))));
    return [
      {
        what: `${STREAMS} streams of ${PER_SECOND} deltas/s: the broker's processor time`,
        figure: figure(
          "of its app-server's",
          "×",
          spreadOf(pairwise(of(ours, "brokerMs"), of(ours, "appServerMs"), ratio)),
        ),
        limit: 0.5,
        measured: [
          figure("the broker", "ms", spreadOf(of(ours, "brokerMs"))),
          ...each("app-server", "appServerMs", "ms"),
          ...each("deltas", "perSecond", "/s"),
        ],
      },
      {
        what: `${STREAMS} streams of ${PER_SECOND} deltas/s: delay, p99`,
        figure: figure(
          "over private stdio",
          "ms",
          spreadOf(pairwise(of(ours, "p99"), of("private stdio", "p99"), difference)),
        ),
        limit: 5,
        measured: [...each("p99", "p99", "ms"), ...each("p50", "p50", "ms")],
      },
    ];
  },
};

function sum(values: readonly number[]): number {
  return values.reduce((total, each) => total + each, 0);
}
