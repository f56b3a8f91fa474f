import type { Outcome } from "./election.ts";

/** All rounds of one scenario. */
export interface Row {
  readonly scenario: string;
  readonly rounds: number;
  readonly oneWinner: number;
  readonly everyoneServed: number;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  /** Over all rounds; null where nobody can see processes. */
  readonly extra: number | null;
  /** Rounds in which what the scenario is about did happen. */
  readonly happened: number;
  /** Rounds in which all was as it should be. */
  readonly good: number;
}

export function rowOf(scenario: string, outcomes: readonly Outcome[]): Row {
  const ms = outcomes.flatMap((outcome) => outcome.ms).toSorted((a, b) => a - b);
  const count = (holds: (outcome: Outcome) => boolean): number => outcomes.filter(holds).length;
  const extras = outcomes.flatMap(({ extra }) => extra ?? []);
  return {
    scenario,
    rounds: outcomes.length,
    oneWinner: count(({ oneWinner }) => oneWinner),
    everyoneServed: count(({ everyoneServed }) => everyoneServed),
    p50Ms: quantile(ms, 0.5),
    p99Ms: quantile(ms, 0.99),
    extra: extras.length < outcomes.length ? null : extras.reduce((sum, each) => sum + each, 0),
    happened: count(({ happened }) => happened),
    good: count(isGood),
  };
}

export function isGood({ oneWinner, everyoneServed, extra, happened }: Outcome): boolean {
  return oneWinner && everyoneServed && happened && (extra ?? 0) === 0;
}

/** The smallest value that at least this share of all is not above. */
function quantile(sorted: readonly number[], share: number): number | null {
  const value = sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
  return value === undefined ? null : Math.round(value);
}

/** As Markdown, so that it can go into the documentation as it is. */
export function tableOf(rows: readonly Row[]): string {
  const head = [
    "scenario",
    "rounds",
    "exactly one winner",
    "everyone served",
    "p50 ms",
    "p99 ms",
    "extra processes",
  ];
  const lines = rows.map((row) => [
    row.scenario,
    row.rounds,
    row.oneWinner,
    row.everyoneServed,
    row.p50Ms ?? "–",
    row.p99Ms ?? "–",
    row.extra ?? "not seen",
  ]);
  return [head, head.map(() => "---"), ...lines]
    .map((cells) => `| ${cells.join(" | ")} |`)
    .join("\n");
}
