import { createHash, createHmac, randomUUID } from "node:crypto";
import { accessSync, constants, existsSync, realpathSync, statSync } from "node:fs";
import path from "node:path";
import { locateCodex } from "../app-server/locate.ts";
import { BrokerError } from "../base/errors.ts";
import { accountHome, homeInEnvironment, noHome } from "../os/home-directory.ts";
import { configuredVariables } from "./config-variables.ts";
import { decisiveEnvironment, type Variables } from "./environment.ts";
import { placeOf, type Place } from "./place.ts";
import { FORMAT, scopeDirectory, stateDirectory } from "./state-directory.ts";

/** What must be equal for two clients to share one broker. */
export interface Scope {
  /** Hash of everything below: names the directory with the epoch files. */
  readonly key: string;
  /** First letters of the key, for file names and people. */
  readonly shortKey: string;
  /** Canonical root of the work. */
  readonly workspace: string;
  readonly codexHome: string;
  /** Real path of the codex binary. */
  readonly codex: string;
  readonly label: string | null;
  readonly place: Place;
  /** Salted hashes of the decisive variables, by name: two scopes are compared without their values. */
  readonly environment: Readonly<Record<string, string>>;
  /** Nobody else will ever have the same key: its broker serves one client, and ends with it. */
  readonly private: boolean;
  readonly stateDir: string;
  /** Below the state directory: the epoch files and logs of this scope. */
  readonly directory: string;
}

export interface ScopeOptions {
  /** Any directory inside the workspace. Default: the current directory. */
  readonly cwd?: string;
  /** Path of a codex binary, instead of the one that is found. */
  readonly codex?: string;
  /** Keeps brokers apart that would otherwise be shared. */
  readonly label?: string;
  /** A broker, and so an app-server, that is shared with nobody. Default: no. */
  readonly private?: boolean;
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * @throws BrokerError `workspaceInvalid`, `codexNotFound`, `codexUnusable` or `codexHomeMissing`.
 */
export function resolveScope(options: ScopeOptions = {}): Scope {
  const env = options.env ?? process.env;
  const workspace = workspaceOf(options.cwd ?? process.cwd());
  const codexHome = codexHomeOf(env);
  const codex = locateCodex({
    env,
    ...(options.codex === undefined ? {} : { explicit: options.codex }),
  }).path;
  const label = options.label ?? null;
  const place = placeOf(workspace);
  const decisive = decisiveEnvironment(env, configuredVariables(codexHome, workspace));
  const identity = {
    // Sockets are named by the key: those of another format are not in the way of ours.
    format: FORMAT,
    user: process.getuid?.() ?? env["USERNAME"] ?? null,
    place,
    workspace,
    codexHome,
    codex,
    environment: decisive,
    label,
    ...(options.private === true ? { private: randomUUID() } : {}),
  };
  const key = createHash("sha256").update(JSON.stringify(identity)).digest("hex").slice(0, 32);
  const stateDir = stateDirectory(env).path;
  return {
    key,
    shortKey: key.slice(0, 12),
    workspace,
    codexHome,
    codex,
    label,
    place,
    environment: hashedEnvironment(decisive, workspace),
    private: options.private === true,
    stateDir,
    directory: scopeDirectory(stateDir, key),
  };
}

/** @param salt the workspace: values are compared only between the scopes of one. */
function hashedEnvironment(decisive: Variables, salt: string): Readonly<Record<string, string>> {
  const hashed = decisive.map(([name, value]) => {
    const hash = createHmac("sha256", salt).update(`${name}\0${value}`).digest("hex").slice(0, 16);
    return [name, hash];
  });
  return Object.fromEntries(hashed) as Record<string, string>;
}

/** Whether the environment asks for an app-server that is shared with nobody. */
export function wantsPrivacy(env: NodeJS.ProcessEnv): boolean {
  return env["CODEX_BROKER_PRIVATE"] === "1";
}

/** The git top level that the directory is in, else the directory itself; symbolic links resolved. */
export function workspaceOf(cwd: string): string {
  const start = realDirectory(cwd);
  for (let at = start; ; at = path.dirname(at)) {
    if (isGitTop(at)) return at;
    if (at === path.dirname(at)) return start;
  }
}

/** An empty `.git` is none: Codex's sandbox puts one wherever it lets a command write. */
function isGitTop(directory: string): boolean {
  const git = path.join(directory, ".git");
  try {
    return statSync(git).isFile() || existsSync(path.join(git, "HEAD"));
  } catch {
    return false;
  }
}

function realDirectory(cwd: string): string {
  try {
    const real = realpathSync.native(cwd);
    if (!statSync(real).isDirectory()) throw new Error("it is not a directory");
    accessSync(real, constants.R_OK | constants.X_OK);
    return real;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new BrokerError("workspaceInvalid", `The workspace ${cwd} cannot be used: ${why}.`, {
      cause,
      details: { workspace: cwd },
    });
  }
}

/** @throws BrokerError `codexHomeMissing`. */
export function codexHomeOf(env: NodeJS.ProcessEnv): string {
  const chosen = env["CODEX_HOME"];
  if (chosen === undefined || chosen === "") {
    const usual = path.join(homeOf(env), ".codex");
    return existsSync(usual) ? realpathSync.native(usual) : usual;
  }
  try {
    return realpathSync.native(chosen);
  } catch (cause) {
    throw new BrokerError("codexHomeMissing", `CODEX_HOME names ${chosen}, which does not exist.`, {
      cause,
      details: { codexHome: chosen },
    });
  }
}

/**
 * As Codex finds it, in the environment that it will get; this process may have another one.
 *
 * @throws BrokerError `codexHomeMissing`.
 */
function homeOf(env: NodeJS.ProcessEnv): string {
  const home = homeInEnvironment(env) ?? accountHome();
  if (home !== undefined) return home;
  throw new BrokerError("codexHomeMissing", `${noHome()}, so Codex has no CODEX_HOME.`, {
    hint: "Set HOME to a directory of this user, or CODEX_HOME to one for Codex.",
  });
}
