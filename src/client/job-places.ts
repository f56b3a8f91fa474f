import { listScopes } from "../lifecycle/census.ts";
import {
  listEpochs,
  readEpoch,
  type EndedRecord,
  type ServingRecord,
} from "../lifecycle/epoch-file.ts";
import { servesWorkspaceOf } from "../lifecycle/siblings.ts";
import type { Scope } from "../lifecycle/scope.ts";
import { viewJobs, type JobView } from "./job-list.ts";

/** The workspace that a scope's brokers have served; undefined where none of them has said. */
export function workspaceOf(scopeDir: string): string | undefined {
  return servingFacts(scopeDir)?.workspace;
}

/** Returns the newest record that says what its broker serves. */
function servingFacts(scopeDir: string): ServingRecord | EndedRecord | undefined {
  for (const epoch of listEpochs(scopeDir)) {
    const reading = readEpoch(scopeDir, epoch);
    const record = reading?.state === "read" ? reading.record : undefined;
    if (record !== undefined && record.state !== "claimed" && record.workspace !== undefined) {
      return record;
    }
  }
  return undefined;
}

/** A workspace has several scopes where it was worked in with several environments or labels. */
export function scopesOfWorkspace(scope: Scope): string[] {
  return scopesOfUser(scope.stateDir).filter((each) => {
    const record = each === scope.directory ? undefined : servingFacts(each);
    return each === scope.directory || (record !== undefined && servesWorkspaceOf(record, scope));
  });
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
