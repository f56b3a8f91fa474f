import { connectBroker } from "../../src/index.ts";
import { figure, type Benchmark, type Row } from "../benchmark.ts";
import { cheapRequest } from "../workloads/cheap.ts";
import type { Client } from "../contenders/client.ts";
import { openBroker, type OpenedBroker } from "../contenders/this-broker.ts";
import { runTurn, startThread } from "../workloads/turn.ts";
import { OpenThings } from "../open-things.ts";
import { STAND_IN } from "../ground.ts";
import { inTurn } from "../measure/in-turn.ts";
import { cpuMs } from "../measure/processes.ts";
import { pairwise, ratio, spreadOf } from "../measure/statistics.ts";

/**
 * Ten thousand loaded threads would take a real app-server some 20 GB, so a stand-in has them here: it
 * is the broker's cost alone that is compared.
 */
export const scale: Benchmark = {
  name: "scale",
  async run({ ground, quick, times }) {
    await using things = new OpenThings();
    const many = quick ? { sessions: 20, threads: 50 } : { sessions: 1_000, threads: 10_000 };
    const few = { sessions: 1, threads: 10 };
    const crowd = async (name: string, { sessions, threads }: typeof few): Promise<Crowd> => {
      const place = ground.elsewhere(name, { CODEX_BROKER_CODEX: STAND_IN });
      const limits = { maxSessions: sessions + 10, maxThreads: threads + 10 };
      (await connectBroker({ ...place.wanted, limits })).close();
      const broker = things.use(await openBroker(place));
      const asker = await broker.connect();
      const clients = [asker];
      while (clients.length < sessions) clients.push(await broker.connect());
      for (let count = 1; count < threads; count += 1) {
        await startThread(clients[count % sessions]!);
      }
      return { broker, asker, threadId: await startThread(asker) };
    };
    const requests = quick ? 50 : 4_000;
    const crowded = await crowd("many", many);
    const quiet = await crowd("few", few);
    const perRequest = await inTurn(times(8), {
      many: () => costOfRequest(crowded, requests),
      few: () => costOfRequest(quiet, requests),
    });
    const perTurn = await inTurn(times(8), {
      many: () => costOfTurn(crowded, quick ? 3 : 50),
      few: () => costOfTurn(quiet, quick ? 3 : 50),
    });
    const row = (what: string, { many: ours, few: base }: typeof perTurn): Row => ({
      what: `${what}, with ${many.sessions} sessions and ${many.threads} threads`,
      figure: figure("of 1 session, 10 threads", "×", spreadOf(pairwise(ours, base, ratio))),
      limit: 1.2,
      measured: [
        figure("with many", "µs", spreadOf(ours)),
        figure("with few", "µs", spreadOf(base)),
      ],
    });
    return [
      row("processor time for a request", perRequest),
      row("processor time for a turn", perTurn),
    ];
  },
};

interface Crowd {
  readonly broker: OpenedBroker;
  readonly asker: Client;
  readonly threadId: string;
}

async function costOfRequest({ broker, asker }: Crowd, requests: number): Promise<number> {
  const before = cpuMs(broker.pid);
  for (let count = 0; count < requests; count += 10) {
    await Promise.all(Array.from({ length: 10 }, () => cheapRequest(asker)));
  }
  return ((cpuMs(broker.pid) - before) * 1_000) / requests;
}

async function costOfTurn({ broker, asker, threadId }: Crowd, turns: number): Promise<number> {
  const before = cpuMs(broker.pid);
  for (let count = 0; count < turns; count += 1) {
    await runTurn(asker, threadId, "say: a word or two");
  }
  return ((cpuMs(broker.pid) - before) * 1_000) / turns;
}
