import type { JobView } from "../../client/job-list.ts";
import { jobsDirectory, journalPath } from "../../jobs/job-directory.ts";
import { countEntries } from "../../jobs/journal-counts.ts";
import { ago, counted, duration } from "../output/amounts.ts";
import { printFailure } from "../output/failure.ts";
import { printShortfalls } from "../run/shortfall-text.ts";
import type { Output } from "../output/output.ts";
import { printableLine } from "../output/printable.ts";
import { padEnd } from "../output/width.ts";
import { printOutcome } from "./outcome.ts";
import { durationOf, failureOfJob, titleOf } from "./job-facts.ts";

const LABEL_COLUMNS = 10;

/** One job, with what became of it. */
export async function printJob(view: JobView, to: Output): Promise<void> {
  to.line(`${to.paint("bold", view.id)}  ${view.state}`);
  if (view.state === "unreadable") return to.line(`  ${printableLine(view.why)}`);
  const { job } = view;
  const { items, damagedLines } = await countEntries(
    journalPath(jobsDirectory(view.scopeDir), view.id),
  );
  const fact = (label: string, value: string): void =>
    to.line(`  ${to.paint("dim", padEnd(label, LABEL_COLUMNS))}${printableLine(value)}`);
  fact("prompt", titleOf(view));
  fact("asked", ago(Math.max(0, Date.now() - Date.parse(job.createdAt))));
  fact(job.end === null ? "since" : "took", duration(durationOf(view)));
  if (job.threadId !== null) fact("thread", job.threadId);
  const { model = null, cwd = null } = job.resolved ?? {};
  if (model !== null) fact("model", model);
  if (cwd !== null) fact("in", cwd);
  fact("items", counted(items, "item"));
  if (job.end === null && view.state === "running") {
    fact("last", ago(Math.max(0, Date.now() - Date.parse(job.lastEntryAt))));
  }
  if (damagedLines > 0) fact("damage", `${counted(damagedLines, "line")} cannot be read`);
  if (job.end !== null) printShortfalls(job.end.shortfalls, to);
  const failure = failureOfJob(view);
  if (failure !== undefined) printFailure(failure, to);
  if ((job.end?.message ?? "") === "") return;
  to.line();
  printOutcome(view, to);
}
