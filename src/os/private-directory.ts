import { lstatSync, mkdirSync, type Stats } from "node:fs";
import { dirname } from "node:path";
import { BrokerError, errnoOf, messageOf } from "../base/errors.ts";

const OTHERS = 0o077;

/**
 * Creates the directory where it is missing and proves that it is ours alone: a real directory, owned
 * by this user, closed to everyone else. On Windows owner and mode mean nothing to Node, and the
 * user's profile directory is private by its access list.
 *
 * @throws BrokerError `stateDirUnsafe` or `stateDirUnusable`.
 */
export function ensurePrivateDirectory(path: string): void {
  try {
    makeWithParents(path);
  } catch (cause) {
    throw unusable(path, cause);
  }
  const danger = dangerOf(path);
  if (danger !== undefined) {
    throw new BrokerError("stateDirUnsafe", `${path} ${danger.why}.`, {
      details: { path },
      ...(danger.hint === undefined ? {} : { hint: danger.hint }),
    });
  }
}

/** Node's own `recursive` calls a read-only disk and a link to nowhere "no such file". */
function makeWithParents(directory: string): void {
  try {
    makeIfMissing(directory);
  } catch (error) {
    const parent = dirname(directory);
    if (errnoOf(error) !== "ENOENT" || parent === directory) throw error;
    makeWithParents(parent);
    makeIfMissing(directory);
  }
}

function makeIfMissing(directory: string): void {
  try {
    mkdirSync(directory, { mode: 0o700 });
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw error;
  }
}

/** Why this directory must not be trusted, or undefined when it may. */
export function dangerOf(path: string): { why: string; hint?: string } | undefined {
  let stats: Stats;
  try {
    stats = lstatSync(path);
  } catch (cause) {
    throw unusable(path, cause);
  }
  if (stats.isSymbolicLink()) return { why: "is a symbolic link" };
  if (!stats.isDirectory()) return { why: "is not a directory" };
  const uid = process.geteuid?.();
  if (uid === undefined) return undefined;
  if (stats.uid !== uid) return { why: `belongs to user ${stats.uid}, not to this user (${uid})` };
  if ((stats.mode & OTHERS) !== 0) {
    const mode = (stats.mode & 0o777).toString(8);
    return { why: `is open to other users (mode ${mode})`, hint: `Run \`chmod 700 ${path}\`.` };
  }
  return undefined;
}

/** Whether it is there and may be trusted. Never throws. */
export function isPrivate(path: string): boolean {
  try {
    return dangerOf(path) === undefined;
  } catch {
    return false;
  }
}

/** A failed file operation below the state directory, as one of our errors. */
export function unusable(path: string, cause: unknown): BrokerError {
  return new BrokerError("stateDirUnusable", `${path} cannot be used: ${messageOf(cause)}.`, {
    cause,
    details: { path, errno: errnoOf(cause) ?? null },
  });
}
