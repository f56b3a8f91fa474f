import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Deadline } from "../../src/base/deadline.ts";
import { MAX_REPLACEMENTS_VARIABLE } from "../../src/lifecycle/replacement-loop.ts";
import { LeakWatch } from "../support/leak-watch.ts";
import { makeWorld } from "../support/world.ts";
import { ACTIONS, historyOf, lineOf, OUTAGES, type Action } from "./history.ts";
import { runRound } from "./round.ts";

const USAGE = `npm run chaos:threads -- [--minutes M | --rounds N] [--seed S] [--without ACTION,…] [--json]

Random histories of library clients, raw sessions, proxies and jobs against the real codex. Each
round has a seed of its own, S, S+1, …; --rounds 1 --seed S holds that round again. The actions:
${[...ACTIONS, ...OUTAGES].map((action) => `  ${action}`).join("\n")}`;

/** @returns the exit code. */
export async function main(args: string[], root: string): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      minutes: { type: "string", default: "1" },
      rounds: { type: "string" },
      seed: { type: "string", default: "1" },
      without: { type: "string", default: "" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const seed = Number(values.seed);
  const rounds = values.rounds === undefined ? Infinity : Number(values.rounds);
  const minutes = values.rounds === undefined ? Number(values.minutes) : Infinity;
  if (values.help || !Number.isSafeInteger(seed) || !(rounds > 0) || !(minutes > 0)) {
    console.log(USAGE);
    return values.help ? 0 : 2;
  }
  const without = values.without.split(",");
  const actions: readonly Action[] = [...ACTIONS, ...OUTAGES];
  const wanted = actions.filter((action) => !without.includes(action));
  const { held, violations } = await hold({ seed, rounds, minutes, wanted, root });
  if (values.json) console.log(JSON.stringify({ rounds: held, violations }));
  else console.log(`${held} rounds from seed ${seed}, ${violations.length} violations`);
  return violations.length === 0 ? 0 : 1;
}

interface Wanted {
  readonly seed: number;
  readonly rounds: number;
  readonly minutes: number;
  readonly wanted: readonly Action[];
  readonly root: string;
}

async function hold({ seed, rounds, minutes, wanted, root }: Wanted) {
  const deadline = Deadline.after(minutes * 60_000);
  const violations: string[] = [];
  const watch = new LeakWatch();
  let held = 0;
  {
    const config = { approvalPolicy: "on-request", sandboxMode: "workspace-write" } as const;
    // Rotations follow each other faster here than any user asks for them.
    const env = { [MAX_REPLACEMENTS_VARIABLE]: "0" };
    await using world = await makeWorld({ config, env });
    const client = await world.connect();
    const path = client.record.current ?? "";
    client.close();
    const place = { world, program: join(root, "dist/cli.cjs"), path };
    for (; held < rounds && !deadline.expired; held += 1) {
      const history = historyOf(seed + held, wanted);
      const ledger = await runRound(history, place);
      if (ledger.violations.length === 0) continue;
      violations.push(...ledger.violations.map((what) => `seed ${history.seed}: ${what}`));
      console.error(`\nseed ${history.seed}:\n${history.steps.map(lineOf).join("\n")}`);
      console.error(ledger.violations.map((what) => `VIOLATION ${what}`).join("\n"));
      console.error(`all that was noted is in ${keep(root, history.seed, ledger.log)}`);
    }
  }
  violations.push(...(await watch.finish()));
  return { held, violations };
}

function keep(root: string, seed: number, log: readonly string[]): string {
  const directory = join(root, "build", "histories");
  mkdirSync(directory, { recursive: true });
  const file = join(directory, `seed-${seed}.log`);
  writeFileSync(file, log.join("\n"));
  return file;
}
