import { viewJob, type JobView } from "../../src/client/job-list.ts";
import { resolveScope } from "../../src/lifecycle/scope.ts";
import { eventually } from "../support/eventually.ts";
import type { World } from "../support/world.ts";

export function scopeDir({ workspace, env }: World): string {
  return resolveScope({ cwd: workspace, env }).directory;
}

export async function jobView(world: World, id: string): Promise<JobView | undefined> {
  return await viewJob(scopeDir(world), id);
}

export async function untilState(
  world: World,
  id: string,
  state: JobView["state"],
): Promise<JobView> {
  let last: JobView | undefined;
  await eventually(async () => {
    last = await jobView(world, id);
    return last?.state === state;
  }, `job ${id} is ${state}`);
  return last!;
}
