import { execFileSync } from "node:child_process";
import { mkdtempSync, realpathSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A file system of its own, to be filled up or closed to writers. */
export interface TinyDisk extends Disposable {
  readonly path: string;
  makeReadOnly(): void;
}

/** Mounts a memory file system of that many bytes, and of that many files where it is given. */
export function mountTinyDisk(bytes: number, files?: number): TinyDisk {
  const path = realpathSync(mkdtempSync(join(tmpdir(), "cb-disk-")));
  const options = [
    `size=${bytes}`,
    "mode=0700",
    ...(files === undefined ? [] : [`nr_inodes=${files}`]),
  ];
  run("mount", "-t", "tmpfs", "-o", options.join(","), "tmpfs", path);
  return {
    path,
    makeReadOnly: () => run("mount", "-o", "remount,ro", path),
    [Symbol.dispose]() {
      run("umount", path);
      rmdirSync(path);
    },
  };
}

function run(program: string, ...args: readonly string[]): void {
  execFileSync(program, args, { stdio: "pipe" });
}

/** Mounting is for root, and not even for him in most containers. */
export const CAN_MOUNT: boolean = tryToMount();

function tryToMount(): boolean {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return false;
  try {
    mountTinyDisk(4096)[Symbol.dispose]();
    return true;
  } catch {
    return false;
  }
}
