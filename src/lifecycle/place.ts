import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { hostMark } from "../os/host-mark.ts";

/** What makes one path lead to different files in two places. Part of the scope key. */
export interface Place {
  /** Hash of what identifies the machine; see `hostMark`. */
  readonly host: string;
  /** Device and inode of the directory with the system's programs. Null where paths have one meaning. */
  readonly system: string | null;
  /** Device and inode of the workspace. Null where paths have one meaning. */
  readonly workspace: string | null;
}

/**
 * Only on Linux can a process have a file tree of its own, in which a path leads to other files. Device
 * and inode are compared and not the namespace, because a sandbox has namespaces of its own over the
 * same files. The directory of programs tells containers with one workspace apart: a command runs with
 * the programs of the container that the broker is in.
 */
export function placeOf(workspace: string): Place {
  const host = createHash("sha256").update(hostMark()).digest("hex").slice(0, 16);
  if (process.platform !== "linux") return { host, system: null, workspace: null };
  return { host, system: fileIdOf("/usr"), workspace: fileIdOf(workspace) };
}

/**
 * Whether the records of one place are about the files of the other. Devices are numbered anew at each
 * boot, so records of different boots are compared by inode.
 */
export function isSamePlace(a: Place, b: Place, sameBoot: boolean): boolean {
  if (sameBoot) return a.host === b.host && a.system === b.system && a.workspace === b.workspace;
  return inodeOf(a.workspace) === inodeOf(b.workspace);
}

function inodeOf(fileId: string | null): string | undefined {
  return fileId?.split(":")[1];
}

function fileIdOf(path: string): string | null {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return null;
  }
}
