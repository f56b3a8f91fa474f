import type { Outcome } from "./trial.ts";

/** As Markdown, so that it can go into the documentation as it is. */
export function tableOf(outcomes: readonly Outcome[]): string {
  const head = [
    "fault",
    "next turn done, ms",
    "all cleared up, ms",
    "turns that were there",
    "wrong kills",
    "lost answers",
    "processes left",
    "files left",
  ];
  const groups = new Map<string, Outcome[]>();
  for (const each of outcomes) groups.set(each.group, [...(groups.get(each.group) ?? []), each]);
  return [...groups]
    .flatMap(([group, rows]) => [
      `\n**${group}**\n`,
      ...[head, head.map(() => "---"), ...rows.map(cellsOf)].map(line),
    ])
    .join("\n");
}

function cellsOf(outcome: Outcome): Array<string | number> {
  const { name, skipped, violations, servedMs, goneMs, endings } = outcome;
  if (skipped !== null) return [name, `not run: ${skipped}`, "", "", "", "", "", ""];
  return [
    violations.length === 0 ? name : `**${name}**`,
    servedMs ?? "–",
    goneMs ?? "–",
    endings.join(", ") || "–",
    outcome.wrongKills,
    outcome.lostAnswers,
    outcome.processesLeft,
    outcome.filesLeft,
  ];
}

function line(cells: ReadonlyArray<string | number>): string {
  return `| ${cells.join(" | ")} |`;
}
