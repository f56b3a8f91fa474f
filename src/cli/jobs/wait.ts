import { monotonicMs } from "../../base/deadline.ts";
import { viewJobs, type JobView } from "../../client/job-list.ts";
import { jobsDirectory, readJob } from "../../jobs/job-directory.ts";
import { JournalWatch } from "./journal-watch.ts";

/** For a broker that dies without writing anything, and where changes are not reported. */
export const ASK_EVERY_MS = 1_000;

/** Until the job has ended or is lost, or the time is up. Undefined when it is not there any more. */
export async function untilEnded(
  { scopeDir, id }: Pick<JobView, "scopeDir" | "id">,
  timeoutMs = Number.POSITIVE_INFINITY,
): Promise<JobView | undefined> {
  const directory = jobsDirectory(scopeDir);
  const startedAt = monotonicMs();
  const left = (): number => timeoutMs - (monotonicMs() - startedAt);
  using changes = new JournalWatch(directory);
  for (;;) {
    const view = await viewJob(scopeDir, id);
    if (!goesOn(view) || left() <= 0) return view;
    const askAgainAt = monotonicMs() + Math.min(left(), ASK_EVERY_MS);
    // The whole directory is watched, and only the end of this one is worth asking about.
    while (monotonicMs() < askAgainAt && !hasEnd(directory, id)) {
      await changes.change(askAgainAt - monotonicMs());
    }
  }
}

export async function viewJob(scopeDir: string, id: string): Promise<JobView | undefined> {
  return (await viewJobs(scopeDir)).find((one) => one.id === id);
}

export function goesOn(view: JobView | undefined): boolean {
  return view?.state === "running" || view?.state === "unconfirmed";
}

function hasEnd(directory: string, id: string): boolean {
  const reading = readJob(directory, id);
  return reading === undefined || (reading.state === "read" && reading.job.end !== null);
}
