import type { JobView } from "../../client/job-list.ts";
import { viewJobsOf } from "../../client/job-places.ts";

export type JobOfSession = Exclude<JobView, { readonly state: "unreadable" }>;

/** The jobs in these scopes that a host's session has started, the newest first. */
export async function jobsOfSession(
  scopeDirs: readonly string[],
  session: string,
): Promise<JobOfSession[]> {
  const views = await viewJobsOf(scopeDirs);
  return views.filter(
    (view): view is JobOfSession =>
      view.state !== "unreadable" && view.job.request.origin === session,
  );
}
