import { readFile } from "node:fs/promises";
import { FileLane } from "./file-lane.ts";
import type { ProcessEntry } from "./kernel/kernel.ts";
import { stillRuns } from "./process-tree.ts";

/**
 * The variable by which processes are known that descend from an app-server: each inherits it, however
 * young it is and whoever its parent was. Its value is the random instance id of the broker.
 */
export const INSTANCE_VARIABLE = "CODEX_BROKER_INSTANCE";

/** Reading an environment waits for the memory of that process, which may be locked for long. */
const READ_WITHIN_MS = 1_000;

const lane = new FileLane();

/**
 * Returns those of the processes that have a mark, with its value. Empty where the system does not show
 * environments. A process that hides its environment, or does not show it in time, is missing.
 */
export async function marksOfProcesses(
  processes: readonly ProcessEntry[],
): Promise<ReadonlyMap<ProcessEntry, string>> {
  const marks = new Map<ProcessEntry, string>();
  if (process.platform !== "linux") return marks;
  await lane.run(async () => {
    for (const each of processes) {
      const mark = markIn(await environmentOf(each.pid));
      // The pid may have been recycled before its environment was read.
      if (mark !== undefined && stillRuns(each)) marks.set(each, mark);
    }
  }, READ_WITHIN_MS);
  return new Map(marks);
}

async function environmentOf(pid: number): Promise<string> {
  return await readFile(`/proc/${pid}/environ`, "latin1").catch(() => "");
}

function markIn(environment: string): string | undefined {
  const prefix = `${INSTANCE_VARIABLE}=`;
  return environment
    .split("\0")
    .find((variable) => variable.startsWith(prefix))
    ?.slice(prefix.length);
}
