import path from "node:path";
import { BrokerError } from "../base/errors.ts";
import { accountHome, homeInEnvironment, noHome } from "../os/home-directory.ts";

/** Formats that cannot read each other live side by side, each in a directory of its own. */
export const FORMAT = "v2";

export interface StateDirectory {
  readonly path: string;
  /** Whether CODEX_BROKER_STATE_DIR chose it. */
  readonly overridden: boolean;
}

/**
 * Where the brokers of this user meet. Computed from the home directory alone, so that a hook, a shell
 * and a sandboxed tool agree whatever XDG_* and TMPDIR their hosts gave them.
 *
 * @throws BrokerError `usage` for a relative CODEX_BROKER_STATE_DIR, which would lead each of them
 *   somewhere else; `stateDirUnusable` where this user has no home directory.
 */
export function stateDirectory(env: NodeJS.ProcessEnv = process.env): StateDirectory {
  const chosen = env["CODEX_BROKER_STATE_DIR"];
  if (chosen !== undefined && chosen !== "") {
    if (!path.isAbsolute(chosen)) throw notAbsolute(chosen);
    return { path: path.resolve(chosen), overridden: true };
  }
  return { path: usualStateDirectory(env, home(env)), overridden: false };
}

function notAbsolute(chosen: string): BrokerError {
  return new BrokerError(
    "usage",
    `CODEX_BROKER_STATE_DIR is ${JSON.stringify(chosen)}, which is not an absolute path.`,
    { hint: `Set CODEX_BROKER_STATE_DIR to an absolute path, such as ${path.resolve(chosen)}.` },
  );
}

export function formatDirectory(stateDir: string): string {
  return path.join(stateDir, FORMAT);
}

export function scopeDirectory(stateDir: string, scopeKey: string): string {
  return path.join(formatDirectory(stateDir), scopeKey);
}

/** Returns where this kind of system keeps the state of programs. */
export function usualStateDirectory(
  env: NodeJS.ProcessEnv,
  home: string,
  platform: NodeJS.Platform = process.platform,
): string {
  switch (platform) {
    case "win32":
      // An absolute one may be on another drive than the home directory.
      return path.win32.resolve(home, env["LOCALAPPDATA"] || "AppData\\Local", "codex-broker");
    case "darwin":
      return path.posix.join(home, "Library", "Application Support", "codex-broker");
    default:
      return path.posix.join(home, ".local", "state", "codex-broker");
  }
}

/** The account's own home, which a host cannot change by HOME; HOME only where the account has none. */
function home(env: NodeJS.ProcessEnv): string {
  const home = accountHome() ?? homeInEnvironment(env);
  if (home !== undefined) return home;
  throw new BrokerError(
    "stateDirUnusable",
    `${noHome()}, so there is no place for the state of brokers.`,
    { hint: "Set HOME to a directory of this user, or CODEX_BROKER_STATE_DIR to one for brokers." },
  );
}
