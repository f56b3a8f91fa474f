import { viewJobs, type JobView } from "../../client/job-list.ts";
import { listScopes } from "../../lifecycle/census.ts";

export type JobOfSession = Exclude<JobView, { readonly state: "unreadable" }>;

/** The jobs of one scope that a host's session has started, the newest first. */
export async function jobsOfSession(directory: string, session: string): Promise<JobOfSession[]> {
  const views = await viewJobs(directory);
  return views.filter(
    (view): view is JobOfSession =>
      view.state !== "unreadable" && view.job.request.origin === session,
  );
}

/** Of all scopes: a session may have changed its directory, and its environment with it. */
export async function allJobsOfSession(stateDir: string, session: string): Promise<JobOfSession[]> {
  const scopes = listScopes(stateDir);
  const found = await Promise.all(
    scopes.map(async ({ directory }) => await jobsOfSession(directory, session)),
  );
  return found.flat();
}
