import { watch, type FSWatcher } from "node:fs";
import { monotonicMs, pause } from "../../base/deadline.ts";
import { trace } from "../../base/trace.ts";
import { viewJobs, type JobView } from "../../client/job-list.ts";
import { jobsDirectory, readJob } from "../../jobs/job-directory.ts";

/** For a broker that dies without writing anything, and where changes are not reported. */
const ASK_EVERY_MS = 1_000;

/** Until the job has ended or is lost, or the time is up. */
export async function untilEnded(
  scopeDir: string,
  id: string,
  timeoutMs = Number.POSITIVE_INFINITY,
): Promise<JobView | undefined> {
  const directory = jobsDirectory(scopeDir);
  const startedAt = monotonicMs();
  for (;;) {
    const view = (await viewJobs(scopeDir)).find((one) => one.id === id);
    if (view?.state !== "running" && view?.state !== "unconfirmed") return view;
    const left = timeoutMs - (monotonicMs() - startedAt);
    if (left <= 0) return view;
    await untilEndIsWritten(directory, id, Math.min(left, ASK_EVERY_MS));
  }
}

async function untilEndIsWritten(directory: string, id: string, withinMs: number): Promise<void> {
  const written = new AbortController();
  const look = (): void => {
    const reading = readJob(directory, id);
    if (reading?.state === "read" && reading.job.end !== null) written.abort();
  };
  const watcher = tryToWatch(directory, look);
  look();
  await pause(withinMs, written.signal);
  watcher?.close();
}

function tryToWatch(directory: string, onChange: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(directory, onChange);
    watcher.on("error", (error) => trace("info", "jobs.unwatched", { error: String(error) }));
    return watcher;
  } catch (error) {
    trace("info", "jobs.unwatched", { error: String(error) });
    return undefined;
  }
}
