import type { JobState, JobView } from "../../client/job-list.ts";
import { workspaceOf } from "../../client/job-places.ts";
import { ago, duration } from "../output/amounts.ts";
import type { Output, Paint } from "../output/output.ts";
import { printableLine } from "../output/printable.ts";
import { table } from "../output/table.ts";
import { durationOf, titleOf } from "./job-facts.ts";

const MOST_SHOWN = 20;

const COLOURS: Readonly<Record<JobState, Paint>> = {
  running: "cyan",
  completed: "green",
  failed: "red",
  cancelled: "yellow",
  timedOut: "yellow",
  lost: "red",
  unconfirmed: "yellow",
  unreadable: "red",
};

export function printJobs(
  views: readonly JobView[],
  setAside: readonly string[],
  all: boolean,
  to: Output,
): void {
  for (const file of setAside) {
    to.line(
      to.paint("yellow", `a journal that cannot be read was set aside: ${printableLine(file)}`),
    );
  }
  if (views.length === 0) {
    to.line(`${to.paint("dim", "○")} no jobs here`);
    to.line(to.paint("dim", '  → codex-broker run --background "…"'));
    return;
  }
  const shown = all ? views : views.slice(0, MOST_SHOWN);
  const rows = shown.map((view) => [
    view.id,
    view.state,
    ...(view.state === "unreadable"
      ? ["–", "–"]
      : [
          duration(durationOf(view)),
          ago(Math.max(0, Date.now() - Date.parse(view.job.createdAt))),
        ]),
    ...(all ? [printableLine(workspaceOf(view.scopeDir) ?? "–")] : []),
    printableLine(view.state === "unreadable" ? view.why : titleOf(view)),
  ]);
  const heads = ["job", "state", "took", "asked", ...(all ? ["workspace"] : []), "prompt"];
  const lines = table(heads, rows, to);
  for (const [index, line] of lines.entries()) {
    const view = shown[index - 1];
    to.line(view === undefined ? line : coloured(line, view.state, to));
  }
  const hidden = views.length - shown.length;
  if (hidden === 0) return;
  const more = `  and ${hidden} older ones: --all shows them, and those of other workspaces`;
  to.line(to.paint("dim", more));
}

function coloured(line: string, state: JobState, to: Output): string {
  return line.replace(state, to.paint(COLOURS[state], state));
}
