import { spawn, spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, realpathSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Hang extends Disposable {
  /** False when it has ended by itself. */
  readonly lasts: boolean;
}

/** Has every access to these directories hang until this is disposed. */
export function hangDirectories(paths: readonly string[]): Hang {
  const hung: Hang[] = [];
  const end = (): void => {
    for (const each of hung.splice(0)) each[Symbol.dispose]();
  };
  try {
    for (const path of paths) hung.push(hangDirectory(path));
  } catch (error) {
    end();
    throw error;
  }
  return {
    get lasts() {
      return hung.every((each) => each.lasts);
    },
    [Symbol.dispose]: end,
  };
}

/** A test that accesses the directory itself hangs with it, so this ends by itself. */
const LONGEST_SECONDS = 45;

/**
 * Mounts a file system over a directory that answers nothing until this is disposed: FUSE, whose
 * server never reads a request. Every access to the directory hangs, as on a network disk that is gone.
 */
function hangDirectory(path: string): Hang {
  const server = openSync("/dev/fuse", "r+");
  const options = "fd=3,rootmode=40000,user_id=0,group_id=0";
  const { status, stderr } = spawnSync("mount", ["-i", "-t", "fuse", "-o", options, "hung", path], {
    stdio: ["ignore", "ignore", "pipe", server],
    encoding: "utf8",
  });
  const holder =
    status === 0
      ? spawn("sleep", [String(LONGEST_SECONDS)], { stdio: ["ignore", "ignore", "ignore", server] })
      : undefined;
  closeSync(server);
  if (holder === undefined) throw new Error(`mount: ${stderr}`);
  return {
    get lasts() {
      return holder.exitCode === null && holder.signalCode === null;
    },
    [Symbol.dispose]() {
      // Requests that hang fail when the last holder of the descriptor has ended.
      holder.kill("SIGKILL");
      spawnSync("umount", ["--lazy", path]);
    },
  };
}

/** Mounting is for root, and FUSE has to be there. */
export const CAN_HANG: boolean = tryToHang();

function tryToHang(): boolean {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return false;
  const path = realpathSync(mkdtempSync(join(tmpdir(), "cb-hung-")));
  try {
    hangDirectory(path)[Symbol.dispose]();
    return true;
  } catch {
    return false;
  } finally {
    rmdirSync(path);
  }
}
