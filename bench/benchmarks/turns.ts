import { pause } from "../../src/base/deadline.ts";
import { figure, type Benchmark, type Figure } from "../benchmark.ts";
import { RpcFailure, type Client } from "../contenders/client.ts";
import type { Contender, Opened } from "../contenders/contender.ts";
import { runTurn, startThread } from "../workloads/turn.ts";
import { inTurn } from "../measure/in-turn.ts";
import { proportionalBytes } from "../measure/processes.ts";
import { median, pairwise, ratio, spreadOf } from "../measure/statistics.ts";

const MIB = 1_024 * 1_024;
const COMPARED_AT = 8;
/** All run by then, those too who had to go elsewhere. */
const MIDDLE_MS = 1_000;
/** The plugin's broker has somebody else's turn. */
const BUSY = -32_001;

interface Taken {
  readonly wallMs: number;
  readonly memoryMiB: number;
  readonly appServers: number;
}

export const turns: Benchmark = {
  name: "turns",
  async run({ ground, contenders, quick, times }) {
    const prompt = quick ? "slow: 12x100ms tick" : "slow: 20x100ms tick";
    const taken = new Map<string, Taken[]>();
    const probe = async (contender: Contender): Promise<number> => {
      await using opened = await contender.open(ground);
      for (const count of sizesOf(contender, quick)) {
        const name = `${contender.name}, ${count}`;
        taken.set(name, [...(taken.get(name) ?? []), await turnsAtOnce(opened, count, prompt)]);
      }
      return 0;
    };
    await inTurn(
      quick ? 1 : times(3),
      Object.fromEntries(contenders.map((each) => [each.name, () => probe(each)])),
      0,
    );
    const ours = contenders[0]!.name;
    const of = (name: string, key: keyof Taken): number[] =>
      (taken.get(name) ?? []).map((each) => each[key]);
    const most = quick ? 8 : 64;
    const walls = (count: number): Figure =>
      figure(`${ours}, ${count}`, "ms", spreadOf(of(`${ours}, ${count}`, "wallMs")));
    const memory = [...taken.keys()].filter((name) => name.endsWith(`, ${COMPARED_AT}`));
    const plugin = contenders.find(({ name }) => name === "the plugin's broker")?.name;
    const against = plugin ?? "private stdio";
    return [
      {
        what: `${most} turns at once, of 20 deltas and 2 s`,
        figure: figure(
          "of one turn alone",
          "×",
          spreadOf(pairwise(of(`${ours}, ${most}`, "wallMs"), of(`${ours}, 1`, "wallMs"), ratio)),
        ),
        limit: 1.15,
        measured: [
          ...sizesOf(contenders[0]!, quick).map(walls),
          ...(taken.has(`native socket, ${most}`)
            ? [
                figure(
                  `native socket, ${most}`,
                  "ms",
                  spreadOf(of(`native socket, ${most}`, "wallMs")),
                ),
              ]
            : []),
        ],
      },
      {
        what: `app-servers for ${most} turns at once`,
        figure: {
          name: "app-servers",
          unit: "",
          value: median(of(`${ours}, ${most}`, "appServers")),
        },
        limit: 1,
        measured: memory.map((name) => ({
          name,
          unit: "",
          value: median(of(name, "appServers")),
        })),
      },
      {
        what: `memory for ${COMPARED_AT} turns at once, all processes`,
        figure: figure(
          `of ${against}`,
          "×",
          spreadOf(
            pairwise(
              of(`${ours}, ${COMPARED_AT}`, "memoryMiB"),
              of(`${against}, ${COMPARED_AT}`, "memoryMiB"),
              ratio,
            ),
          ),
        ),
        limit: 0.25,
        measured: memory.map((name) => figure(name, "MiB", spreadOf(of(name, "memoryMiB")))),
      },
    ];
  },
};

function sizesOf(contender: Contender, quick: boolean): number[] {
  if (quick) return [1, COMPARED_AT];
  return contender.shares ? [1, COMPARED_AT, 32, 64] : [1, COMPARED_AT];
}

async function turnsAtOnce(opened: Opened, count: number, prompt: string): Promise<Taken> {
  const clients: Client[] = [];
  const prepare = async (connect: () => Promise<Client>): Promise<() => Promise<void>> => {
    const client = await connect();
    clients.push(client);
    const threadId = await startThread(client);
    return () => runTurn(client, threadId, prompt);
  };
  const elsewhere = (error: unknown): Promise<() => Promise<void>> => {
    const { connectElsewhere } = opened;
    const busy = error instanceof RpcFailure && error.code === BUSY;
    if (!busy || connectElsewhere === undefined) throw error;
    return prepare(connectElsewhere);
  };
  const prepared = await Promise.all(
    Array.from({ length: count }, () => prepare(opened.connect).catch(elsewhere)),
  );
  const startedAt = performance.now();
  const running = Promise.all(
    prepared.map((run) => run().catch(async (error: unknown) => (await elsewhere(error))())),
  );
  running.catch(() => {});
  await pause(MIDDLE_MS);
  const { brokers, appServers } = opened.processes();
  const memory = [...brokers, ...appServers].map(proportionalBytes);
  await running;
  const wallMs = performance.now() - startedAt;
  for (const client of clients) client.close();
  return {
    wallMs,
    memoryMiB: memory.reduce((sum, bytes) => sum + bytes, 0) / MIB,
    appServers: appServers.length,
  };
}
