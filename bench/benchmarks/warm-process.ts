import { figure, type Benchmark } from "../benchmark.ts";
import { openBroker } from "../contenders/this-broker.ts";
import { distFile } from "../ground.ts";
import { inTurn } from "../measure/in-turn.ts";
import { wholeProcess } from "../measure/processes.ts";
import { pairwise, ratio, spreadOf } from "../measure/statistics.ts";

export const warmProcess: Benchmark = {
  name: "warm-process",
  async run({ ground, times }) {
    await using _broker = await openBroker(ground);
    const where = { env: ground.env, cwd: ground.workspace };
    const run = (...args: string[]) => wholeProcess(process.execPath, args, where);
    const { status, empty } = await inTurn(times(30), {
      status: () => run(distFile("cli.cjs"), "status", "--json"),
      empty: () => run("-e", "0"),
    });
    return [
      {
        what: "warm, a whole process: `codex-broker status --json`",
        figure: figure("of `node -e 0`", "×", spreadOf(pairwise(status, empty, ratio))),
        limit: 1.5,
        measured: [
          figure("this broker", "ms", spreadOf(status)),
          figure("floor: `node -e 0`", "ms", spreadOf(empty)),
        ],
      },
    ];
  },
};
