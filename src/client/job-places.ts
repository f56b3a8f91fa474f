import { listScopes } from "../lifecycle/census.ts";
import { listEpochs, readEpoch } from "../lifecycle/epoch-file.ts";
import type { Scope } from "../lifecycle/scope.ts";
import { viewJobs, type JobView } from "./job-list.ts";

/** The workspace that a scope's brokers have served; undefined where none of them has said. */
export function workspaceOf(scopeDir: string): string | undefined {
  for (const epoch of listEpochs(scopeDir)) {
    const reading = readEpoch(scopeDir, epoch);
    const record = reading?.state === "read" ? reading.record : undefined;
    if (record !== undefined && record.state !== "claimed" && record.workspace !== undefined) {
      return record.workspace;
    }
  }
  return undefined;
}

/** A workspace has several scopes where it was worked in with several environments or labels. */
export function scopesOfWorkspace({ stateDir, directory, workspace }: Scope): string[] {
  return scopesOfUser(stateDir).filter(
    (each) => each === directory || workspaceOf(each) === workspace,
  );
}

export function scopesOfUser(stateDir: string): string[] {
  return listScopes(stateDir).map(({ directory }) => directory);
}

/** The jobs of all of them, the newest first. What cannot be read comes last. */
export async function viewJobsOf(scopeDirs: readonly string[]): Promise<JobView[]> {
  const views = await Promise.all(scopeDirs.map((each) => viewJobs(each)));
  return views.flat().toSorted((a, b) => askedAt(b).localeCompare(askedAt(a)));
}

function askedAt(view: JobView): string {
  return view.state === "unreadable" ? "" : view.job.createdAt;
}
