import { readdirSync, readFileSync, statSync, type BigIntStats } from "node:fs";
import { isRunning, readStat } from "./proc-stat.ts";

/** The process that has locked a file. */
export interface LockHolder {
  readonly pid: number;
  /** As the kernel has it: cut to 15 bytes. */
  readonly program: string;
  readonly parentPid: number;
}

/** One that only waits for a lock has an arrow before its kind. */
const HELD = /^\d+: \w+ +\w+ +WRITE +(\d+) \S+:(\d+) /gm;

/**
 * Who holds the lock on that file. Undefined when nobody does and where it cannot be known: on systems
 * other than Linux, for processes of another pid namespace or user, and when the process that took the
 * lock has left it to another.
 */
export function lockHolder(path: string): LockHolder | undefined {
  try {
    const file = statSync(path, { bigint: true });
    for (const [, pid = "", inode] of readFileSync("/proc/locks", "latin1").matchAll(HELD)) {
      if (inode !== String(file.ino) || !hasOpen(pid, file)) continue;
      const stat = readStat(Number(pid));
      if (stat === undefined || !isRunning(stat)) continue;
      return { pid: stat.pid, program: stat.comm, parentPid: stat.ppid };
    }
  } catch {
    // No such file, or no such system.
  }
  return undefined;
}

/** Another file system may have the same inode, and how the list names a file system is not what `stat` says. */
function hasOpen(pid: string, file: BigIntStats): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((descriptor) => {
      const open = statSync(`/proc/${pid}/fd/${descriptor}`, {
        bigint: true,
        throwIfNoEntry: false,
      });
      return open?.dev === file.dev && open.ino === file.ino;
    });
  } catch {
    return false;
  }
}
