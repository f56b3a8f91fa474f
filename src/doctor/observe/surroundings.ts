import { execFile } from "node:child_process";
import { accessSync, constants, readFileSync } from "node:fs";
import path from "node:path";
import { locateCodex } from "../../app-server/locate.ts";
import { asBrokerError, errnoOf, type ErrorKind } from "../../base/errors.ts";
import { codexHomeOf, workspaceOf, type ScopeOptions } from "../../lifecycle/scope.ts";
import { addressIn } from "../../os/endpoint-url.ts";
import { neutralDirectory } from "../../os/neutral-directory.ts";
import { ownIdentity } from "../../os/process-identity.ts";
import { signalsThroughDescriptors } from "../../os/verified-kill.ts";
import type {
  EndpointVariableSeen,
  LoginSeen,
  Resolved,
  SurroundingsSeen,
} from "../observations.ts";
import { unwritableIn } from "./codex-home.ts";
import { reach } from "./reach.ts";

const ANSWER_WITHIN_MS = 5_000;
const KEY_VARIABLES = ["OPENAI_API_KEY", "CODEX_API_KEY", "CODEX_ACCESS_TOKEN"];
/** Settings under which Codex may do without an `auth.json`. */
const LOGIN_ELSEWHERE = /^\s*(model_provider|profile|cli_auth_credentials_store)\s*=/m;
export const ENDPOINT_VARIABLE = "CODEX_COMPANION_APP_SERVER_ENDPOINT";

export async function observeSurroundings(
  { cwd, codex }: ScopeOptions,
  env: NodeJS.ProcessEnv,
): Promise<SurroundingsSeen> {
  const codexHome = resolved("codexHomeMissing", () => ({ path: codexHomeOf(env) }));
  return {
    sandbox: Object.keys(env).filter((name) => name.startsWith("CODEX_SANDBOX")),
    node: process.versions.node,
    platform: process.platform,
    canProve: ownIdentity().startTime !== null,
    signalsThroughDescriptors: signalsThroughDescriptors(),
    workspace: resolved("workspaceInvalid", () => ({ path: workspaceOf(cwd ?? process.cwd()) })),
    codexHome,
    codex: await observeCodex(codex, env),
    unwritable: codexHome.found ? unwritableIn(codexHome.path, new Date()) : undefined,
    login: observeLogin(codexHome, env),
    endpointVariable: await observeEndpointVariable(env),
  };
}

function resolved<T extends object>(kind: ErrorKind, resolve: () => T): Resolved<T> {
  try {
    return { found: true, ...resolve() };
  } catch (thrown) {
    return { found: false, error: asBrokerError(thrown, kind).toJSON() };
  }
}

async function observeCodex(
  explicit: string | undefined,
  env: NodeJS.ProcessEnv,
): Promise<SurroundingsSeen["codex"]> {
  const located = resolved("codexUnusable", () => ({
    path: locateCodex({ env, ...(explicit === undefined ? {} : { explicit }) }).path,
  }));
  if (!located.found) return located;
  const [version, noSandbox] = await Promise.all([
    versionOf(located.path, env),
    objectionToSandbox(located.path, env),
  ]);
  return { ...located, version, noSandbox };
}

async function versionOf(codex: string, env: NodeJS.ProcessEnv): Promise<string | null> {
  const { code, stdout } = await ask(codex, ["--version"], env);
  const version = /\b\d+\.\d+\.\d+[^\s()]*/.exec(stdout)?.[0];
  return code === 0 && version !== undefined ? version : null;
}

/** Within another sandbox, or a container, the system may not let Codex set up one of its own. */
async function objectionToSandbox(codex: string, env: NodeJS.ProcessEnv): Promise<string | null> {
  if (process.platform === "win32") return null;
  const { code, stderr } = await ask(codex, ["sandbox", "--", "true"], env);
  return code === 1 ? (stderr.trim().split("\n").at(-1) ?? "") : null;
}

interface Said {
  /** Undefined when it did not come to an end by itself. */
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

function ask(codex: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Said> {
  const options = {
    env,
    cwd: neutralDirectory(),
    timeout: ANSWER_WITHIN_MS,
    killSignal: "SIGKILL",
    windowsHide: true,
  } as const;
  return new Promise((resolve) => {
    execFile(codex, args, options, (error, stdout, stderr) => {
      const code = error === null ? 0 : error.code;
      resolve({ code: typeof code === "number" ? code : undefined, stdout, stderr });
    }).stdin?.end();
  });
}

/** The file is opened by nobody: that it may be read is all there is to know. */
function observeLogin(codexHome: SurroundingsSeen["codexHome"], env: NodeJS.ProcessEnv): LoginSeen {
  if (!codexHome.found) return { file: "absent", path: "auth.json", elsewhere: true };
  const file = path.join(codexHome.path, "auth.json");
  const elsewhere =
    KEY_VARIABLES.some((name) => (env[name] ?? "") !== "") ||
    LOGIN_ELSEWHERE.test(textOf(path.join(codexHome.path, "config.toml")));
  return { file: accessTo(file), path: file, elsewhere };
}

function accessTo(file: string): LoginSeen["file"] {
  try {
    accessSync(file, constants.R_OK);
    return "there";
  } catch (error) {
    return errnoOf(error) === "ENOENT" ? "absent" : "unreadable";
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

async function observeEndpointVariable(
  env: NodeJS.ProcessEnv,
): Promise<EndpointVariableSeen | undefined> {
  const value = env[ENDPOINT_VARIABLE];
  const address = value === undefined ? undefined : addressIn(value);
  return address === undefined ? undefined : { path: address, reached: await reach(address) };
}
