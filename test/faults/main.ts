import { execFileSync } from "node:child_process";
import { cpus, loadavg, release, totalmem, type } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Fault } from "./fault.ts";
import { failPoints } from "./fail-points.ts";
import { outsideFaults } from "./outside-faults.ts";
import { tableOf } from "./table.ts";
import { coldStart, holdTrial, type Outcome } from "./trial.ts";

const USAGE = `npm run test:faults -- [--only TEXT] [--short] [--jobs N] [--codex fake|real] [--json] [--list]

Brings about one fault after the other, and looks at who is served, who is told, and what is left.`;

/** With its turn, on a machine that has nothing else to do. The bounds of the faults allow for that. */
const USUAL_COLD_START_MS = 1_500;

/** @returns the exit code. */
export async function main(args: string[], root: string): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: "string", default: "" },
      short: { type: "boolean", default: false },
      jobs: { type: "string", default: "2" },
      codex: { type: "string", default: "real" },
      json: { type: "boolean", default: false },
      list: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const faults = [...failPoints, ...outsideFaults].filter(
    ({ name, group, short }) =>
      `${group}: ${name}`.includes(values.only) && (!values.short || short === true),
  );
  const jobs = Number(values.jobs);
  if (values.help || faults.length === 0 || !(jobs > 0)) {
    console.error(USAGE);
    return values.help ? 0 : 2;
  }
  if (values.list) {
    for (const { group, name } of faults) console.log(`${group}: ${name}`);
    return 0;
  }
  const programs = join(root, "build/faults");
  const codex =
    values.codex === "real" ? undefined : join(root, "test/support/fake-app-server.mjs");
  // As many at once as there will be later, because they are what the machine is busy with.
  const started = Array.from({ length: jobs }, () => coldStart({ programs, codex }));
  const coldMs = Math.max(...(await Promise.all(started)));
  const slackMs = Math.max(0, coldMs - USUAL_COLD_START_MS);
  const conditions = { programs, codex, slackMs };
  const outcomes = await holdAll(faults, jobs, (fault) => holdTrial(fault, conditions));
  if (values.json) console.log(JSON.stringify(outcomes));
  else {
    const pace = `${jobs} at a time; a cold start with its turn took ${coldMs} ms, which adds ${slackMs} ms to every bound`;
    console.log(`\n${machine(root)}\n${pace}\n${tableOf(outcomes)}`);
  }
  return outcomes.every(({ violations }) => violations.length === 0) ? 0 : 1;
}

async function holdAll(
  faults: readonly Fault[],
  jobs: number,
  hold: (fault: Fault) => Promise<Outcome>,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    for (let at = next++; at < faults.length; at = next++) {
      const outcome = await hold(faults[at]!);
      outcomes[at] = outcome;
      report(outcome);
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  return outcomes;
}

function report({ group, name, skipped, violations, servedMs, goneMs, endings }: Outcome): void {
  const how =
    skipped === null
      ? `${servedMs ?? "–"} ms, ${goneMs ?? "–"} ms; ${endings.join(", ")}`
      : `not run: ${skipped}`;
  console.error(`${violations.length === 0 ? "ok " : "BAD"} ${group}: ${name}: ${how}`);
  for (const each of violations) console.error(`      ${each}`);
}

function machine(root: string): string {
  const memory = Math.round(totalmem() / 2 ** 30);
  const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], {
    cwd: root,
    encoding: "utf8",
  });
  const load = (loadavg()[0] ?? 0).toFixed(1);
  return `${type()} ${release()}, ${cpus().length} CPUs, ${memory} GiB, Node ${process.versions.node}, load ${load}; commit ${commit.trim()}`;
}
