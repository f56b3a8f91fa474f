import { readdir, readFile, stat } from "node:fs/promises";
import type { BigIntStats } from "node:fs";
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
 * lock has left it to another. Does not block: files that the holder has open may be on a remote disk.
 */
export async function lockHolder(path: string): Promise<LockHolder | undefined> {
  try {
    const file = await stat(path, { bigint: true });
    for (const [, pid = "", inode] of (await readFile("/proc/locks", "latin1")).matchAll(HELD)) {
      if (inode !== String(file.ino) || !(await hasOpen(pid, file))) continue;
      const holder = readStat(Number(pid));
      if (holder === undefined || !isRunning(holder)) continue;
      return { pid: holder.pid, program: holder.comm, parentPid: holder.ppid };
    }
  } catch {
    // No such file, or no such system.
  }
  return undefined;
}

/** Another file system may have the same inode, and how the list names a file system is not what `stat` says. */
async function hasOpen(pid: string, file: BigIntStats): Promise<boolean> {
  for (const descriptor of await readdir(`/proc/${pid}/fd`).catch(() => [])) {
    // It may have been closed meanwhile.
    const open = await stat(`/proc/${pid}/fd/${descriptor}`, { bigint: true }).catch(
      () => undefined,
    );
    if (open?.dev === file.dev && open.ino === file.ino) return true;
  }
  return false;
}
