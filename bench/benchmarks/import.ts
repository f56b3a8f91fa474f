import { figure, type Benchmark } from "../benchmark.ts";
import { distFile } from "../ground.ts";
import { inTurn } from "../measure/in-turn.ts";
import { wholeProcess } from "../measure/processes.ts";
import { difference, pairwise, spreadOf } from "../measure/statistics.ts";

export const importing: Benchmark = {
  name: "import",
  async run({ ground, times }) {
    const where = { env: ground.env, cwd: ground.workspace };
    const module = (text: string) => ["--input-type=module", "-e", text];
    const { ours, empty } = await inTurn(times(30), {
      ours: () =>
        wholeProcess(
          process.execPath,
          module(`import ${JSON.stringify(distFile("index.js"))}`),
          where,
        ),
      empty: () => wholeProcess(process.execPath, module("0"), where),
    });
    return [
      {
        what: '`import "codex-broker"`',
        figure: figure("over an empty module", "ms", spreadOf(pairwise(ours, empty, difference))),
        limit: 15,
        measured: [
          figure("this broker", "ms", spreadOf(ours)),
          figure("floor: an empty module", "ms", spreadOf(empty)),
        ],
      },
    ];
  },
};
