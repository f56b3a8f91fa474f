import { connectBroker } from "../../src/index.ts";
import { figure, type Benchmark } from "../benchmark.ts";
import { openFloor } from "../contenders/floor.ts";
import { distFile, program } from "../ground.ts";
import { inTurn } from "../measure/in-turn.ts";
import { wholeProcess } from "../measure/processes.ts";
import { spreadOf } from "../measure/statistics.ts";
import { timed } from "../measure/stopwatch.ts";

const MAY_COST = 1.5;

/** Many processes ask for a broker at the same instant, and there is none. */
export const herd: Benchmark = {
  name: "herd",
  async run({ ground, quick, times }) {
    const size = quick ? 4 : 50;
    await using floor = await openFloor(ground, "echo");
    let next = 0;
    const all = (env: NodeJS.ProcessEnv, ...args: string[]): Promise<number> =>
      timed(() =>
        Promise.all(
          Array.from({ length: size }, () =>
            wholeProcess(process.execPath, args, { env, cwd: ground.workspace }),
          ),
        ),
      );
    const { ours, bare, cold } = await inTurn(times(4), {
      async ours() {
        await using anew = ground.elsewhere(`herd-${(next += 1)}`);
        return await all(
          anew.env,
          distFile("cli.cjs"),
          "call",
          "thread/loaded/list",
          '{"limit":1}',
        );
      },
      bare: () => all(ground.env, program("echo-client"), floor.path),
      async cold() {
        await using anew = ground.elsewhere(`herd-${(next += 1)}`);
        return await timed(async () => (await connectBroker(anew.wanted)).close());
      },
    });
    const against = ours.map(
      (our, round) => our / ((bare[round] ?? 0) * MAY_COST + (cold[round] ?? 0)),
    );
    return [
      {
        what: `${size} processes ask at once, and there is no broker`,
        figure: figure(
          `of ${MAY_COST} × ${size} bare processes and one cold start`,
          "×",
          spreadOf(against),
        ),
        limit: 1,
        measured: [
          figure("this broker", "ms", spreadOf(ours)),
          figure(`floor: ${size} bare processes`, "ms", spreadOf(bare)),
          figure("one cold start", "ms", spreadOf(cold)),
        ],
      },
    ];
  },
};
