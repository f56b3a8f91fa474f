import { cpus, release, totalmem, type } from "node:os";
import { parseArgs } from "node:util";
import { LeakWatch } from "../support/leak-watch.ts";
import { FIGURES, type Sample } from "./sample.ts";
import { soak } from "./soak.ts";
import { compare, isAbove, type Comparison } from "./verdict.ts";

const USAGE = `npm run soak -- [--turns N] [--sessions N] [--jobs N] [--rotations N] [--samples N] [--json]

Sessions that come and go, turns and jobs against the real codex, with rotations in the first part.
Fails when memory, heap, descriptors, processes or the state directory are higher in the last tenth
than in the first one, after a warm-up, by more than the tolerance.`;

/** @returns the exit code. */
export async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      turns: { type: "string", default: "5000" },
      sessions: { type: "string", default: "1000" },
      jobs: { type: "string", default: "500" },
      rotations: { type: "string", default: "8" },
      samples: { type: "string", default: "50" },
      factor: { type: "string", default: "1" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const [turns = 0, sessions = 0, jobs = 0, rotations = 0, samples = 0, factor = 0] = [
    values.turns,
    values.sessions,
    values.jobs,
    values.rotations,
    values.samples,
    values.factor,
  ].map(Number);
  const isWrong = [turns, sessions, jobs, rotations, samples].some(
    (each) => !Number.isSafeInteger(each) || each < 0,
  );
  if (values.help || isWrong || samples < 2 || sessions < samples || process.platform !== "linux") {
    console.log(process.platform === "linux" ? USAGE : `${USAGE}\n\nLinux only.`);
    return values.help ? 0 : 2;
  }
  const watch = new LeakWatch();
  const startedAt = performance.now();
  const print = values.json ? (): void => {} : (line: string): void => console.log(line);
  print(row(["turns", "sessions", "jobs", "epoch", ...Object.values(FIGURES)]));
  const onSample = (sample: Sample): void => print(rowOf(sample));
  const wanted = { turns, sessions, jobs, rotations, samples, onSample };
  const { steady, violations } = await soak(wanted);
  const comparisons = compare(steady, factor);
  const found = [
    ...violations,
    ...comparisons.filter(isAbove).map((each) => `grown: ${inWords(each)}`),
    ...(await watch.finish()),
  ];
  if (values.json) {
    console.log(JSON.stringify({ violations: found, comparisons }));
  } else {
    const minutes = ((performance.now() - startedAt) / 60_000).toFixed(1);
    const memory = Math.round(totalmem() / 2 ** 30);
    console.log(
      `\n${type()} ${release()}, ${cpus().length} CPUs, ${memory} GiB, Node ${process.versions.node}; ${minutes} min`,
    );
    console.log(tableOf(comparisons));
    for (const what of found) console.log(`VIOLATION ${what}`);
  }
  return found.length === 0 ? 0 : 1;
}

function rowOf({ turns, sessions, jobs, epoch, figures }: Sample): string {
  return row([turns, sessions, jobs, epoch, ...Object.values(figures).map(rounded)]);
}

/** As Markdown, so that it can go into the documentation as it is. */
function tableOf(comparisons: readonly Comparison[]): string {
  const head = ["", "first tenth", "last tenth", "at most"];
  const rows = comparisons.map(({ figure, first, last, most }) => [
    figure,
    rounded(first),
    rounded(last),
    rounded(most),
  ]);
  return [head, head.map(() => "---"), ...rows].map(row).join("\n");
}

function row(cells: readonly (string | number)[]): string {
  return `| ${cells.join(" | ")} |`;
}

function inWords({ figure, first, last, most }: Comparison): string {
  return `${figure} from ${rounded(first)} to ${rounded(last)}, at most ${rounded(most)}`;
}

function rounded(value: number): string {
  return value.toFixed(value < 100 ? 1 : 0).replace(/\.0$/, "");
}
