import { statSync } from "node:fs";
import { userInfo } from "node:os";
import path from "node:path";

/** Returns the account's own home directory, if the account has one that is there. */
export function accountHome(): string | undefined {
  try {
    const home = userInfo().homedir;
    return path.isAbsolute(home) && statSync(home).isDirectory() ? home : undefined;
  } catch {
    // No such account, as in a container that runs under a bare number.
    return undefined;
  }
}

/** Returns the home directory that the environment names. A relative path names none. */
export function homeInEnvironment(env: NodeJS.ProcessEnv): string | undefined {
  const home = env[process.platform === "win32" ? "USERPROFILE" : "HOME"];
  return home !== undefined && path.isAbsolute(home) ? home : undefined;
}

/** Returns why there is no home directory, for a sentence. */
export function noHome(): string {
  const uid = process.getuid?.();
  const who = uid === undefined ? "This user" : `The user with the number ${uid}`;
  const variable = process.platform === "win32" ? "USERPROFILE" : "HOME";
  return `${who} has no home directory: the system knows none, and ${variable} names none`;
}
