import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  type Stats,
} from "node:fs";
import { dirname } from "node:path";
import { BrokerError, errnoOf, messageOf } from "../base/errors.ts";
import { shellWord } from "../base/shell-word.ts";

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

interface Danger {
  readonly why: string;
  readonly hint?: string;
  /** Present when it is ours and nothing but its mode is wrong. */
  readonly mode?: number;
}

/** Why this directory must not be trusted, or undefined when it may. */
export function dangerOf(path: string): Danger | undefined {
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
    const mode = stats.mode & 0o777;
    return {
      why: `is open to other users (mode ${mode.toString(8)})`,
      hint: `Run \`chmod 700 ${shellWord(path)}\`.`,
      mode,
    };
  }
  return undefined;
}

/**
 * Closes a directory of ours to everyone else. Through a descriptor, so that what was looked at is what
 * is changed.
 *
 * @throws BrokerError `stateDirUnsafe` or `stateDirUnusable`.
 */
export function closeToOthers(path: string): void {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    const { uid } = fstatSync(descriptor);
    if (uid !== process.geteuid?.()) {
      throw new BrokerError("stateDirUnsafe", `${path} belongs to user ${uid}.`);
    }
    fchmodSync(descriptor, 0o700);
  } catch (cause) {
    throw BrokerError.is(cause) ? cause : unusable(path, cause);
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
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
    ...hintFor(cause),
  });
}

function hintFor(cause: unknown): { readonly hint?: string } {
  if (isSandboxed()) return { hint: SANDBOX_HINT };
  return errnoOf(cause) === "EROFS" ? { hint: READ_ONLY_HINT } : {};
}

const READ_ONLY_HINT =
  "The disk is read-only, or a sandbox makes it so: run `codex-broker ensure` outside, or set CODEX_BROKER_STATE_DIR to another directory.";

const SANDBOX_HINT =
  "This is a sandbox, which may forbid it: run `codex-broker ensure` outside, and see `codex-broker doctor`.";

/** Codex says so to what it runs. */
function isSandboxed(): boolean {
  return Object.keys(process.env).some((name) => name.startsWith("CODEX_SANDBOX"));
}
