import { accessSync, constants, existsSync } from "node:fs";
import { delimiter as ownDelimiter, isAbsolute, join, resolve, win32 } from "node:path";
import { BrokerError } from "../base/errors.ts";
import { isFile, moduleDirectories, resolveNative } from "./native-binary.ts";
import type { Host } from "./native-package.ts";

export interface CodexBinary {
  /** What to spawn, absolute: the native binary without symbolic links where it could be found, else `foundAs`. */
  readonly path: string;
  readonly foundAs: string;
  readonly source: CodexSource;
  readonly native: boolean;
}

export type CodexSource = "option" | "environment" | "path" | "node_modules";

export interface LocateOptions {
  /** What the user named: a path, or a bare name that is looked up in PATH. */
  readonly explicit?: string;
  readonly env: NodeJS.ProcessEnv;
  /**
   * Where the search in `node_modules` begins, upwards. This package's directory unless given, and
   * never the working directory: a workspace must not be able to bring a codex of its own.
   */
  readonly from?: string;
  readonly platform?: NodeJS.Platform;
  readonly arch?: NodeJS.Architecture;
}

export const CODEX_VARIABLE = "CODEX_BROKER_CODEX";

/** The extensions that can be started, or resolved to what can; PATHEXT decides only over their order. */
const STARTABLE_EXTENSIONS = [".exe", ".com", ".cmd", ".bat", ".ps1", ""];

/**
 * The codex to use: the one that was named, else the one in the environment, else the first in PATH,
 * else the one installed beside this package. Synchronous, and well below a millisecond: every short-lived client
 * asks.
 *
 * @throws BrokerError `codexNotFound` when there is none, or none where the name points: a named one
 *   is never replaced by another; `codexUnusable` when it is there but cannot be started.
 */
export function locateCodex(options: LocateOptions): CodexBinary {
  const host: Host = {
    platform: options.platform ?? process.platform,
    arch: options.arch ?? process.arch,
  };
  const { explicit, env } = options;
  if (explicit !== undefined) return named(explicit, "option", env, host);

  const variable = env[CODEX_VARIABLE];
  if (variable !== undefined && variable !== "") return named(variable, "environment", env, host);

  const inPath = searchPath("codex", env, host);
  if (inPath !== undefined) return binary(inPath, "path", host);

  const from = options.from ?? import.meta.dirname;
  for (const directory of moduleDirectories(from, join("@openai", "codex"))) {
    const launcher = join(directory, "bin", "codex.js");
    if (isFile(launcher)) return binary(launcher, "node_modules", host);
  }

  const directories = pathDirectories(env, host);
  throw new BrokerError(
    "codexNotFound",
    `Codex was not found: no \`codex\` in PATH (${directories.join(", ") || "which is empty"}), ` +
      `and no @openai/codex in node_modules from ${from} upwards.`,
    { details: { path: directories, nodeModulesFrom: from } },
  );
}

function named(
  name: string,
  source: "option" | "environment",
  env: NodeJS.ProcessEnv,
  host: Host,
): CodexBinary {
  const bare = !/[\\/]/.test(name);
  const path = bare ? searchPath(name, env, host) : fileNamed(resolve(name), env, host);
  if (path !== undefined) return binary(path, source, host);
  const origin = source === "option" ? "that was given" : `that ${CODEX_VARIABLE} names`;
  const kind = !bare && existsSync(name) ? "codexUnusable" : "codexNotFound";
  const what = kind === "codexNotFound" ? "does not exist" : "is not a file";
  throw new BrokerError(
    kind,
    `The codex ${origin} ${what}: ${name}${bare ? " (looked for in PATH)" : ""}.`,
    {
      details: { codex: name, source, ...(bare ? { path: pathDirectories(env, host) } : {}) },
      hint:
        source === "option"
          ? "Correct the path of codex that was given."
          : `Correct or unset ${CODEX_VARIABLE}.`,
    },
  );
}

/** The path itself, or on Windows the path with one of the extensions that may be left out there. */
function fileNamed(path: string, env: NodeJS.ProcessEnv, host: Host): string | undefined {
  return extensionsFor(path, env, host)
    .map((extension) => path + extension)
    .find((each) => isFile(each));
}

function binary(foundAs: string, source: CodexSource, host: Host): CodexBinary {
  const resolved = resolveNative(foundAs, host);
  if (isExecutable(resolved.path, host)) return { ...resolved, foundAs, source };
  throw new BrokerError("codexUnusable", `${resolved.path} is not executable.`, {
    details: { codex: resolved.path, foundAs, source },
  });
}

function searchPath(name: string, env: NodeJS.ProcessEnv, host: Host): string | undefined {
  const extensions = extensionsFor(name, env, host);
  for (const directory of pathDirectories(env, host)) {
    for (const extension of extensions) {
      const path = join(directory, name + extension);
      if (isFile(path) && isExecutable(path, host)) return path;
    }
  }
  return undefined;
}

/**
 * Only the absolute ones: an empty or relative entry means the working directory, and a workspace must
 * not be able to put its own `codex` in place of the user's.
 */
function pathDirectories(env: NodeJS.ProcessEnv, { platform }: Host): readonly string[] {
  const windows = platform === "win32";
  const delimiter = platform === process.platform ? ownDelimiter : windows ? ";" : ":";
  const absolute = windows ? win32.isAbsolute : isAbsolute;
  return (variable(env, "PATH", windows) ?? "")
    .split(delimiter)
    .map((entry) => (windows ? entry.replaceAll('"', "") : entry))
    .filter((entry) => absolute(entry));
}

function extensionsFor(name: string, env: NodeJS.ProcessEnv, host: Host): readonly string[] {
  if (host.platform !== "win32") return [""];
  const lower = name.toLowerCase();
  const complete = STARTABLE_EXTENSIONS.some((each) => each !== "" && lower.endsWith(each));
  if (complete) return [""];
  const wanted = (variable(env, "PATHEXT", true) ?? "").toLowerCase().split(";");
  const first = wanted.filter(
    (extension) => extension !== "" && STARTABLE_EXTENSIONS.includes(extension),
  );
  return [...new Set([...first, ...STARTABLE_EXTENSIONS])];
}

/** The names of variables ignore case on Windows, but not in a copy of `process.env`. */
function variable(env: NodeJS.ProcessEnv, name: string, ignoreCase: boolean): string | undefined {
  if (!ignoreCase || env[name] !== undefined) return env[name];
  const key = Object.keys(env).find((each) => each.toUpperCase() === name);
  return key === undefined ? undefined : env[key];
}

function isExecutable(path: string, { platform }: Host): boolean {
  if (platform === "win32") return true;
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
