import { EXIT, type ExitCode } from "../../base/errors.ts";
import { sumOf, type Figures } from "../../base/figures.ts";
import { takeCensus, type ScopeCensus } from "../../lifecycle/census.ts";
import { readFiguresSum } from "../../lifecycle/figures-sum.ts";
import { stateDirectory } from "../../lifecycle/state-directory.ts";
import type { statsOptions } from "../commands.ts";
import type { Given } from "../line/given.ts";
import { out } from "../output/output.ts";
import { askRecorded } from "../workspace/ask.ts";
import { statsLines, type ScopeStats, type Stats } from "../workspace/stats-view.ts";

export async function execute(given: Given<typeof statsOptions>): Promise<ExitCode> {
  const stateDir = stateDirectory().path;
  const counted = await Promise.all(takeCensus(stateDir).map(countScope));
  const scopes = counted
    .map(({ scope }) => scope)
    .filter(({ figures }) => figures.epochs > 0)
    .toSorted((a, b) => b.figures.turnsStarted - a.figures.turnsStarted);
  const stats: Stats = {
    stateDir,
    total: sumOf(scopes.map(({ figures }) => figures)),
    scopes,
    silent: counted.reduce((sum, { silent }) => sum + silent, 0),
  };
  if (given.has("json")) out.json(stats);
  else for (const line of statsLines(stats, out)) out.line(line);
  return EXIT.ok;
}

async function countScope(census: ScopeCensus): Promise<{ scope: ScopeStats; silent: number }> {
  const { key, directory, epochs, brokers } = census;
  const living = await Promise.all(brokers.map(({ record }) => askRecorded(record, "stats")));
  const ended = epochs.flatMap((reading): Figures[] => {
    if (reading.state !== "read" || reading.record.state !== "ended") return [];
    return reading.record.figures === undefined ? [] : [reading.record.figures];
  });
  const answered = living.flatMap((status) => status?.figures ?? []);
  const figures = sumOf([readFiguresSum(directory).figures, ...ended, ...answered]);
  return {
    scope: { scope: key, workspace: workspaceOf(census), figures },
    silent: living.length - answered.length,
  };
}

function workspaceOf({ epochs }: ScopeCensus): string | null {
  for (const reading of epochs) {
    if (reading.state !== "read" || reading.record.state === "claimed") continue;
    if (reading.record.workspace !== undefined) return reading.record.workspace;
  }
  return null;
}
