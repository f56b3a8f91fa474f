import type { FaultKind, Operation, WorkKind } from "./schedule.ts";

/** What came of everything. */
export class Tally {
  readonly faults = new Map<FaultKind, number>();
  readonly work = new Map<WorkKind, Map<string, number>>();
  readonly violations: string[] = [];
  /** How each broker ended that left a word, the newest first. */
  obituaries: readonly string[] = [];
  /** The latest operations, the oldest first. */
  readonly latest: string[] = [];
  /** Connections to the fixed path that were refused, with and without a fault that explains it. */
  readonly refused = { explained: 0, unexplained: 0 };
  settled = 0;

  did(operation: Operation, who: string): void {
    const { number, kind } = operation;
    this.latest.push(`${number} ${kind} ${who}`);
    if (this.latest.length > LATEST) this.latest.shift();
  }

  fault(kind: FaultKind): void {
    this.faults.set(kind, (this.faults.get(kind) ?? 0) + 1);
  }

  outcome(kind: WorkKind, outcome: string): void {
    const outcomes = this.work.get(kind) ?? new Map<string, number>();
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    this.work.set(kind, outcomes);
  }

  violation(what: string): void {
    this.violations.push(what);
  }
}

const LATEST = 40;

/** As Markdown, so that it can go into the documentation as it is. */
export function tableOf(tally: Tally): string {
  const work = [...tally.work].toSorted(([a], [b]) => a.localeCompare(b));
  const rows = work.map(([kind, outcomes]) => {
    const sorted = [...outcomes].toSorted(([, a], [, b]) => b - a);
    const total = sorted.reduce((sum, [, count]) => sum + count, 0);
    return [kind, total, sorted.map(([outcome, count]) => `${outcome} ${count}`).join(", ")];
  });
  const faults = [...tally.faults].toSorted(([, a], [, b]) => b - a);
  const { explained, unexplained } = tally.refused;
  const total = rows.reduce((sum, [, count]) => sum + Number(count), 0);
  return [
    markdown(["work", "times", "outcomes"], [...rows, ["all", total, ""]]),
    markdown(["fault", "times"], faults),
    markdown(
      ["checked", "result"],
      [
        ["connections to the fixed path refused, nothing having been taken away", unexplained],
        ["connections to the fixed path refused while it, or the broker, was gone", explained],
        ["times at rest, with one broker that serves", tally.settled],
        ["violations", tally.violations.length],
      ],
    ),
  ].join("\n\n");
}

function markdown(head: readonly string[], rows: readonly (readonly unknown[])[]): string {
  const lines: readonly (readonly unknown[])[] = [head, head.map(() => "---"), ...rows];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
