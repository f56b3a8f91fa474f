import type { JobState, JobView } from "../../client/job-list.ts";
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

export function printJobs(views: readonly JobView[], all: boolean, to: Output): void {
  if (views.length === 0) {
    to.line(`${to.paint("dim", "○")} no jobs here`);
    to.line(to.paint("dim", '  → codex-broker run --background "…"'));
    return;
  }
  const shown = all ? views : views.slice(0, MOST_SHOWN);
  const rows = shown.map((view) =>
    view.state === "unreadable"
      ? [view.id, view.state, "–", "–", printableLine(view.why)]
      : [
          view.id,
          view.state,
          duration(durationOf(view)),
          ago(Math.max(0, Date.now() - Date.parse(view.job.createdAt))),
          printableLine(titleOf(view)),
        ],
  );
  const lines = table(["job", "state", "took", "asked", "prompt"], rows, to);
  for (const [index, line] of lines.entries()) {
    const view = shown[index - 1];
    to.line(view === undefined ? line : coloured(line, view.state, to));
  }
  const hidden = views.length - shown.length;
  if (hidden > 0) to.line(to.paint("dim", `  and ${hidden} older ones: --all shows them`));
}

function coloured(line: string, state: JobState, to: Output): string {
  return line.replace(state, to.paint(COLOURS[state], state));
}
