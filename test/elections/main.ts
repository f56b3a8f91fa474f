import { cpus, totalmem, release, type } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { holdElection, type Outcome } from "./election.ts";
import { scenarios, type Scenario } from "./scenarios.ts";
import { isGood, rowOf, tableOf, type Row } from "./table.ts";

const USAGE = `npm run test:elections -- [--rounds N] [--processes N] [--seed S] [--codex fake|real] [--scenario NAME] [--json]

Real processes ask for a broker at one instant. --rounds are dealt out evenly over the scenarios:
${scenarios.map(({ name }) => `  ${name}`).join("\n")}`;

/** A kill that came too late makes the round an ordinary one. It is held again, so many times. */
const MOST_ATTEMPTS = 5;

/** @returns the exit code. */
export async function main(args: string[], root: string): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      rounds: { type: "string", default: "6" },
      processes: { type: "string", default: "10" },
      seed: { type: "string", default: "1" },
      codex: { type: "string", default: "fake" },
      scenario: { type: "string" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const chosen = scenarios.filter(({ name }) => name === (values.scenario ?? name));
  const rounds = Math.ceil(Number(values.rounds) / Math.max(1, chosen.length));
  const processes = Number(values.processes);
  const seed = Number(values.seed);
  if (chosen.length === 0 || !(rounds > 0) || !(processes > 0) || !Number.isSafeInteger(seed)) {
    console.error(USAGE);
    return 2;
  }
  const codex =
    values.codex === "real" ? undefined : join(root, "test/support/fake-app-server.mjs");
  const rows: Row[] = [];
  for (const scenario of chosen) {
    const outcomes: Outcome[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const outcome = await holdRound(scenario, { root, processes, codex, seed: seed + round });
      outcomes.push(outcome);
      if (!isGood(outcome)) report(scenario, seed + round, outcome);
    }
    rows.push(rowOf(scenario.name, outcomes));
    if (!values.json) console.error(`${scenario.name}: ${rounds} rounds done`);
  }
  if (values.json) console.log(JSON.stringify(rows));
  else console.log(`\n${machine()}\n${processes} processes, seed ${seed}\n\n${tableOf(rows)}`);
  return rows.every(({ good, rounds: held }) => good === held) ? 0 : 1;
}

async function holdRound(
  scenario: Scenario,
  options: Parameters<typeof holdElection>[1],
): Promise<Outcome> {
  for (let attempt = 1; ; attempt += 1) {
    const seed = options.seed * MOST_ATTEMPTS + attempt;
    const outcome = await holdElection(scenario, { ...options, seed });
    if (outcome.happened || attempt === MOST_ATTEMPTS) return outcome;
  }
}

function report({ name }: Scenario, seed: number, outcome: Outcome): void {
  const { ms, details, ...verdict } = outcome;
  console.error(`${name}, seed ${seed}: ${JSON.stringify(verdict)}, ${ms.length} served`);
  for (const each of new Set(details)) console.error(`  ${each}`);
}

function machine(): string {
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${type()} ${release()}, ${cpus().length} CPUs, ${memory} GiB, Node ${process.versions.node}`;
}
