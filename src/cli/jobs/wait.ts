import { timeoutSignal } from "../../base/deadline.ts";
import { viewJob, type JobView } from "../../client/job-list.ts";
import { Follower } from "./follower.ts";

/** Until the job has ended or is lost, or the time is up. Undefined when it is not there any more. */
export async function untilEnded(
  job: Pick<JobView, "scopeDir" | "id">,
  timeoutMs = Number.POSITIVE_INFINITY,
): Promise<JobView | undefined> {
  using follower = new Follower(job, { from: 1, tell: () => {} });
  const ended = await follower.toTheEnd(timeoutSignal(timeoutMs));
  return ended ?? (await viewJob(job.scopeDir, job.id));
}
