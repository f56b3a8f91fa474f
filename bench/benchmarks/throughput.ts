import { Deadline } from "../../src/base/deadline.ts";
import { figure, type Benchmark, type Row } from "../benchmark.ts";
import { cheapRequest } from "../workloads/cheap.ts";
import type { Client } from "../contenders/client.ts";
import { OpenThings } from "../open-things.ts";
import { inTurn, type Probe } from "../measure/in-turn.ts";
import { pairwise, ratio, spreadOf } from "../measure/statistics.ts";

const OUTSTANDING = 64;
const REQUESTS = 6_400;
const ANSWERED_WITHIN_MS = 20_000;
const SESSIONS = [1, 8, 64];

export const throughput: Benchmark = {
  name: "throughput",
  async run({ ground, contenders, quick, times }) {
    await using things = new OpenThings();
    const requests = quick ? OUTSTANDING : REQUESTS;
    const probes: Record<string, Probe> = {};
    // Of several requests at once the plugin's broker garbles some, and does not answer them.
    for (const contender of contenders.filter(({ name }) => name !== "the plugin's broker")) {
      const most = contender.shares ? SESSIONS : [1];
      const opened = things.use(await contender.open(ground));
      for (const sessions of most) {
        const clients: Client[] = [];
        while (clients.length < sessions) clients.push(await opened.connect());
        probes[`${contender.name}, ${sessions}`] = () => perSecond(clients, requests);
      }
    }
    const results: Record<string, number[]> = await inTurn(times(10), probes);
    const direct = results["private stdio, 1"] ?? [];
    return SESSIONS.map((sessions): Row => {
      const ours = results[`${contenders[0]!.name}, ${sessions}`] ?? [];
      const measured = Object.entries(results).filter(([name]) => name.endsWith(`, ${sessions}`));
      return {
        what: `cheap requests, ${OUTSTANDING} outstanding, ${sessions} ${sessions === 1 ? "session" : "sessions"}`,
        figure: figure("of private stdio", "×", spreadOf(pairwise(ours, direct, ratio))),
        limit: 0.8,
        atLeast: true,
        measured: [
          ...measured.map(([name, each]) => figure(name, "/s", spreadOf(each))),
          ...(sessions === 1 ? [] : [figure("private stdio, 1", "/s", spreadOf(direct))]),
        ],
      };
    });
  },
};

/** Each client keeps its share of them outstanding. Rejects when one is refused or not answered. */
async function perSecond(clients: readonly Client[], requests: number): Promise<number> {
  let left = requests;
  const startedAt = performance.now();
  const ask = async (client: Client): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await cheapRequest(client);
    }
  };
  const each = OUTSTANDING / clients.length;
  const all = Promise.all(
    clients.flatMap((client) => Array.from({ length: each }, () => ask(client))),
  );
  await Deadline.after(ANSWERED_WITHIN_MS).race(all, () => new Error("some requests were lost"));
  return (requests / (performance.now() - startedAt)) * 1_000;
}
