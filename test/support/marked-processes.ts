import { readFile, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";

/** A process that a suite has left. */
export interface MarkedProcess {
  readonly pid: number;
  /** As `ps` shows it. */
  readonly commandLine: string;
}

/** How a process is known to belong to a suite. */
export interface Mark {
  /** `NAME=value`, as it stands in the environment that every descendant inherits. */
  readonly variable: string;
  /**
   * Directories that only this suite knows. A process that works in one belongs to it: Codex starts MCP servers with a
   * cleaned environment, but in the directory of their thread.
   */
  readonly dirs: readonly string[];
}

/** Whether this system lets us look. */
export const CAN_SEE_PROCESSES: boolean = process.platform === "linux";

/** The living processes with that mark, without this one. A zombie is not alive. */
export async function markedProcesses(mark: Mark): Promise<readonly MarkedProcess[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(pids.map(async (pid) => await look(pid, mark)));
  return found.filter((one) => one !== undefined);
}

async function look(pid: number, mark: Mark): Promise<MarkedProcess | undefined> {
  if (pid === process.pid) return undefined;
  const dir = join("/proc", String(pid));
  try {
    const [environment, cwd] = await Promise.all([
      readFile(join(dir, "environ"), "utf8"),
      readlink(join(dir, "cwd")).catch(() => ""),
    ]);
    const isMarked = environment.split("\0").includes(mark.variable);
    if (!isMarked && !mark.dirs.some((owned) => isInside(cwd, owned))) return undefined;
    if (/^State:\s+[ZX]/m.test(await readFile(join(dir, "status"), "utf8"))) return undefined;
    const commandLine = await readFile(join(dir, "cmdline"), "utf8");
    return { pid, commandLine: commandLine.split("\0").join(" ").trim() };
  } catch {
    // It has ended meanwhile, or it is somebody else's: neither is ours.
    return undefined;
  }
}

/** The kernel writes ` (deleted)` behind the path of a directory that is gone. */
function isInside(path: string, dir: string): boolean {
  return path === dir || path.startsWith(`${dir}/`) || path === `${dir} (deleted)`;
}
