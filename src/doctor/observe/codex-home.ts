import { accessSync, constants, readdirSync, statSync } from "node:fs";
import { userInfo } from "node:os";
import path from "node:path";
import { errnoOf } from "../../base/errors.ts";
import type { UnwritableSeen } from "../observations.ts";

/** To these Codex writes in every turn. Settings may well be read-only. */
const WRITTEN =
  /^(sessions|archived_sessions|log|tmp|\.tmp|shell_snapshots|.*\.sqlite(-wal|-shm|-journal)?)$/;

/** Returns the first path that Codex writes to and this user may not. What is missing is made by Codex. */
export function unwritableIn(codexHome: string, today: Date): UnwritableSeen | undefined {
  const outermost = firstThere(codexHome);
  for (const each of [outermost, ...(outermost === codexHome ? writtenIn(codexHome, today) : [])]) {
    const errno = refusalOf(each);
    if (errno !== undefined) return { path: each, errno, ...ownerOf(each) };
  }
  return undefined;
}

/** The directory itself, or the one in which it would be made. */
function firstThere(directory: string): string {
  try {
    statSync(directory);
    return directory;
  } catch (error) {
    const outer = path.dirname(directory);
    return errnoOf(error) !== "ENOENT" || outer === directory ? directory : firstThere(outer);
  }
}

function writtenIn(codexHome: string, today: Date): string[] {
  try {
    const names = readdirSync(codexHome).filter((name) => WRITTEN.test(name));
    return [...names.toSorted(), ...sessionsOf(today)].map((name) => path.join(codexHome, name));
  } catch {
    // What may not be listed is found unusable itself.
    return [];
  }
}

/** Codex keeps the sessions of a day in a directory of their own. */
function sessionsOf(today: Date): string[] {
  const parts = [today.getFullYear(), today.getMonth() + 1, today.getDate()];
  const names = parts.map((part) => String(part).padStart(2, "0"));
  return names.map((_, index) => path.join("sessions", ...names.slice(0, index + 1)));
}

/** Returns the errno with which the system refuses to write there. */
function refusalOf(file: string): string | undefined {
  try {
    const asDirectory = statSync(file).isDirectory() ? constants.X_OK : 0;
    accessSync(file, constants.R_OK | constants.W_OK | asDirectory);
    return undefined;
  } catch (error) {
    const errno = errnoOf(error) ?? "EACCES";
    return errno === "ENOENT" ? undefined : errno;
  }
}

function ownerOf(file: string): Pick<UnwritableSeen, "owner" | "own"> {
  const own = process.geteuid?.();
  try {
    const { uid } = statSync(file);
    return own === undefined
      ? { owner: null, own: true }
      : { owner: nameOf(uid), own: uid === own };
  } catch {
    return { owner: null, own: false };
  }
}

/** The system tells the name of this process's user alone; that of 0 is the same everywhere. */
function nameOf(uid: number): string {
  if (uid === 0) return "root (0)";
  try {
    const account = userInfo();
    if (account.uid === uid) return `${account.username} (${uid})`;
  } catch {
    // This process's user has no account.
  }
  return `user ${uid}`;
}
