import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { disownPath, ownPath } from "./owned-paths.ts";

/** A private directory that goes away with its owner. */
export interface TempDir extends AsyncDisposable {
  /** Absolute, without symbolic links. */
  readonly path: string;
  /** Removes the directory and what is in it; a second call does nothing. */
  remove(): Promise<void>;
}

/**
 * Makes a directory under the system's temporary directory, unless another parent is given.
 *
 * The name stays short because sockets are bound inside, and a socket path may have about a hundred bytes in all.
 */
export async function makeTempDir(parent: string = tmpdir()): Promise<TempDir> {
  // realpath: on macOS the temporary directory is behind a symbolic link, and a path must compare equal to what
  // programs report as their working directory.
  const path = await realpath(await mkdtemp(join(parent, "cb-")));
  ownPath(path);
  const remove = async (): Promise<void> => {
    // A process that is just ending may still add a file, hence the retries.
    await rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
    disownPath(path);
  };
  return { path, remove, [Symbol.asyncDispose]: remove };
}
