import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { RpcError } from "./rpc-error.mjs";

/**
 * @typedef {Record<string, unknown>} Item
 *
 * @typedef {object} Turn
 * @property {string} id
 * @property {Item[]} items
 * @property {"inProgress" | "completed" | "interrupted" | "failed"} status
 * @property {object | null} error
 * @property {number | null} startedAt Unix seconds.
 * @property {number | null} completedAt Unix seconds.
 *
 * @typedef {object} Thread
 * @property {string} id
 * @property {string} cwd
 * @property {boolean} ephemeral
 * @property {string} originator
 * @property {number} createdAt Unix seconds.
 * @property {string} preview
 * @property {Turn[]} turns
 */

/**
 * Threads on disk: one file each, written with the first turn, and a lock file held by the one process that may write.
 *
 * @param {string} codexHome
 */
export function openThreadStore(codexHome) {
  const dir = join(codexHome, "fake-threads");
  mkdirSync(dir, { recursive: true });

  /** @param {string} id */
  const file = (id) => join(dir, `${id}.json`);
  /** @param {string} id */
  const lock = (id) => join(dir, `${id}.lock`);

  return {
    /** The thread as it was left; a turn that nobody runs any more was interrupted. @param {string} id */
    read(id) {
      /** @type {Thread} */
      let thread;
      try {
        thread = JSON.parse(readFileSync(file(id), "utf8"));
      } catch {
        return undefined;
      }
      const turns = thread.turns.map((turn) =>
        turn.status === "inProgress"
          ? { ...turn, status: /** @type {const} */ ("interrupted") }
          : turn,
      );
      return { ...thread, turns };
    },

    /** @param {Thread} thread */
    write(thread) {
      if (thread.ephemeral) return;
      const aside = `${file(thread.id)}.${process.pid}`;
      writeFileSync(aside, JSON.stringify(thread));
      renameSync(aside, file(thread.id));
    },

    /** Becomes the writer. @param {string} id */
    lock(id) {
      // Linked into place with its content, so that no reader meets an empty lock.
      const aside = `${lock(id)}.${process.pid}`;
      writeFileSync(aside, String(process.pid));
      try {
        while (!linked(aside, lock(id))) {
          if (isAlive(Number(readFileSync(lock(id), "utf8")))) {
            throw new RpcError(`thread ${id} already has an active writer`);
          }
          rmSync(lock(id), { force: true });
        }
      } finally {
        rmSync(aside);
      }
    },
  };
}

/** @typedef {ReturnType<typeof openThreadStore>} ThreadStore */

/** @param {string} from @param {string} to */
function linked(from, to) {
  try {
    linkSync(from, to);
    return true;
  } catch (cause) {
    if (/** @type {NodeJS.ErrnoException} */ (cause).code === "EEXIST") return false;
    throw cause;
  }
}

/** @param {number} pid */
function isAlive(pid) {
  if (pid === process.pid) return true;
  try {
    process.kill(pid, 0);
    // A killed process that its parent has not yet collected still takes signals.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch (cause) {
    return (
      /** @type {NodeJS.ErrnoException} */ (cause).code === "ENOENT" && process.platform !== "linux"
    );
  }
}
