import { cpus, release, totalmem, type } from "node:os";
import { parseArgs } from "node:util";
import { holdChaos } from "./chaos.ts";
import { FAULTS, scheduleOf, WORK, type FaultKind, type WorkKind } from "./schedule.ts";
import { tableOf } from "./tally.ts";

const USAGE = `npm run chaos -- [--minutes M] [--seed S] [--codex real|fake] [--only FAULT,…] [--print N] [--quiet] [--json]

Clients of ours, plain clients and commands work, while these faults happen:
${FAULTS.map((kind) => `  ${kind}`).join("\n")}

The same seed gives the same operations in the same order; --print N shows the first N and does nothing.`;

/** @returns the exit code. */
export async function main(args: string[], root: string): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      minutes: { type: "string", default: "1" },
      seed: { type: "string", default: "1" },
      codex: { type: "string", default: "real" },
      only: { type: "string" },
      print: { type: "string" },
      quiet: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const wanted = values.only?.split(",");
  const faults = FAULTS.filter((kind) => wanted?.includes(kind) ?? true);
  const seed = Number(values.seed);
  const forMs = Number(values.minutes) * 60_000;
  const codex = values.codex === "fake" ? "fake" : "real";
  if (values.help || !Number.isSafeInteger(seed) || !(forMs > 0)) {
    console.log(USAGE);
    return values.help ? 0 : 2;
  }
  const kinds = [...WORK, ...faults];
  if (values.print !== undefined) {
    print(seed, kinds, Number(values.print));
    return 0;
  }
  const say = values.quiet ? (): void => {} : (what: string): void => console.error(what);
  const tally = await holdChaos({ root, seed, forMs, codex, kinds, say });
  if (values.json) {
    console.log(JSON.stringify({ violations: tally.violations, table: tableOf(tally) }));
  } else {
    const memory = Math.round(totalmem() / 2 ** 30);
    const machine = `${type()} ${release()}, ${cpus().length} CPUs, ${memory} GiB, Node ${process.versions.node}`;
    console.log(
      `\n${machine}\nseed ${seed}, ${values.minutes} min, ${codex} codex\n\n${tableOf(tally)}`,
    );
  }
  if (tally.violations.length === 0) return 0;
  console.error(`\nseed ${seed}, the latest operations:\n${tally.latest.join("\n")}`);
  console.error(`\nhow the brokers ended:\n${tally.obituaries.join("\n")}`);
  console.error(`\nviolations:\n${tally.violations.join("\n")}`);
  return 1;
}

function print(seed: number, kinds: readonly (WorkKind | FaultKind)[], count: number): void {
  let left = count;
  for (const { number, kind, afterMs, who, howLong, howMuch } of scheduleOf(seed, kinds)) {
    if (left <= 0) return;
    left -= 1;
    const chances = [who, howLong, howMuch].map((each) => each.toFixed(2)).join(" ");
    console.log(`${number} +${afterMs} ms ${kind} ${chances}`);
  }
}
