import { readdir } from "node:fs/promises";
import { Deadline, pause } from "../src/base/deadline.ts";
import { errnoOf } from "../src/base/errors.ts";
import { counted } from "../src/cli/output/amounts.ts";
import {
  CAN_SEE_PROCESSES,
  markedProcesses,
  type MarkedProcess,
} from "../test/support/marked-processes.ts";
import type { PrivateWorld } from "./private-world.ts";

/** For what is just ending. */
const PATIENCE_MS = 3_000;
const LOOK_AGAIN_MS = 20;

export interface LeftBehind {
  /** Undefined where processes cannot be looked for. */
  readonly processes: readonly MarkedProcess[] | undefined;
  readonly files: readonly string[];
}

/** The living processes of the demo besides this one; undefined where they cannot be looked for. */
export async function processesOf(
  world: PrivateWorld,
): Promise<readonly MarkedProcess[] | undefined> {
  if (!CAN_SEE_PROCESSES) return undefined;
  return await markedProcesses({ variable: world.mark, dirs: [world.dir.path] });
}

export async function countLeftBehind(world: PrivateWorld): Promise<LeftBehind> {
  const deadline = Deadline.after(PATIENCE_MS);
  let processes = await processesOf(world);
  while (processes !== undefined && processes.length > 0 && !deadline.expired) {
    await pause(LOOK_AGAIN_MS);
    processes = await processesOf(world);
  }
  return { processes, files: await entriesBelow(world.dir.path) };
}

export function isClean({ processes, files }: LeftBehind): boolean {
  return (processes ?? []).length + files.length === 0;
}

export function leftBehindText({ processes, files }: LeftBehind): string {
  const fileCount = counted(files.length, "file");
  return processes === undefined
    ? `left behind: ${fileCount} (processes were not counted: there is no /proc here)`
    : `left behind: ${processes.length} process${processes.length === 1 ? "" : "es"}, ${fileCount}`;
}

/** The directory itself counts too. */
async function entriesBelow(path: string): Promise<readonly string[]> {
  try {
    return [path, ...(await readdir(path, { recursive: true }))];
  } catch (error) {
    return errnoOf(error) === "ENOENT" ? [] : [path];
  }
}
