import { existsSync, linkSync, renameSync, unlinkSync, writeFileSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { errnoOf } from "../base/errors.ts";
import { trace } from "../base/trace.ts";
import { unusable } from "./private-directory.ts";

/** Windows refuses to rename over a file that a reader holds open; readers hold ours for microseconds. */
const RENAME_ATTEMPTS = 50;
const RENAME_PAUSE_MS = 10;

/** How files that are being written are named; a killed writer leaves one behind. */
export const UNFINISHED = /\.[0-9a-f]{12}\.tmp$/;

/**
 * Publishes a whole file under a name that must be new. Of any number of callers exactly one gets
 * true: `link` is the only step that decides.
 *
 * @throws BrokerError `stateDirUnusable` on anything but "the name exists".
 */
export function publishNew(path: string, text: string): boolean {
  const aside = writeAside(path, text);
  try {
    linkSync(aside, path);
    trace("debug", "atomicFile.linked", { to: path });
    return true;
  } catch (cause) {
    // A name that is taken may have cost a slow caller his unfinished file, too.
    if (errnoOf(cause) === "EEXIST" || existsSync(path)) return false;
    throw unusable(path, cause);
  } finally {
    discard(aside);
  }
}

/**
 * Replaces a file as a whole: a reader sees the old text or the new one.
 *
 * @throws BrokerError `stateDirUnusable`.
 */
export function publishOver(path: string, text: string): void {
  const aside = writeAside(path, text);
  try {
    renameWithRetry(aside, path);
  } catch (cause) {
    discard(aside);
    throw unusable(path, cause);
  }
}

function writeAside(path: string, text: string): string {
  const aside = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    writeFileSync(aside, text, { mode: 0o600, flag: "wx" });
  } catch (cause) {
    discard(aside);
    throw unusable(path, cause);
  }
  return aside;
}

/** What cannot be removed is only a left-over, and hides no other failure. */
function discard(aside: string): void {
  try {
    removeIfThere(aside);
  } catch (error) {
    trace("info", "atomicFile.leftOver", { file: aside, error: String(error) });
  }
}

export function renameWithRetry(from: string, to: string): void {
  trace("debug", "atomicFile.renaming", { to });
  for (let attempt = 1; ; attempt += 1) {
    try {
      renameSync(from, to);
      return trace("debug", "atomicFile.renamed", { to });
    } catch (error) {
      const held = ["EPERM", "EACCES", "EBUSY"].includes(errnoOf(error) ?? "");
      if (!held || process.platform !== "win32" || attempt === RENAME_ATTEMPTS) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RENAME_PAUSE_MS);
    }
  }
}

/** Removes one file by name. False when it was not there. */
export function removeIfThere(path: string): boolean {
  try {
    unlinkSync(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw error;
  }
}
