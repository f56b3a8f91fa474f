import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { BrokerError } from "../src/base/errors.ts";
import { BROKER_VERSION } from "../src/base/version.ts";
import { connectBroker, type BrokerClient, type ConnectOptions } from "../src/index.ts";
import { decisiveEnvironment } from "../src/lifecycle/environment.ts";
import { configToml } from "../test/support/codex-home.ts";
import { realCodex } from "../test/support/real-codex.ts";
import { startScriptedModel, type ScriptedModel } from "../test/support/scripted-model.ts";
import { makeTempDir, type TempDir } from "../test/support/temp-dir.ts";
import { letter } from "./scripts.ts";

/** Inherited by all that is started for the demo, so that it can be counted at the end. */
const MARK = "BROKER_DEMO_MARK";

/** A cold start takes half a second. The demo ends after its connects, so they have to end. */
const CONNECT_LIMIT_MS = 15_000;
const SANDBOX_TRIAL_LIMIT_MS = 5_000;

/** A socket path may have about a hundred bytes, and a user's temporary directory alone can use up most of them. */
const LONGEST_PARENT = 30;

/** All that the demo needs and makes: one directory, one environment, one model. Nothing of the user's. */
export interface PrivateWorld {
  readonly dir: TempDir;
  readonly workspace: string;
  readonly stateDir: string;
  readonly codexHome: string;
  readonly codex: string;
  readonly model: ScriptedModel;
  readonly env: NodeJS.ProcessEnv;
  /** Variables of the user's that would change what Codex does, and are kept from it. */
  readonly withheld: readonly string[];
  /** `NAME=value`, in the environment of every process of the demo. */
  readonly mark: string;
  /** Whether Codex's own sandbox works here; where it does not, commands run without. */
  readonly sandboxed: boolean;
  connect(name: string, options?: Pick<ConnectOptions, "replace">): Promise<BrokerClient>;
  /** Closes every connection that is still open. */
  disconnect(): void;
}

/** @throws BrokerError `codexNotFound`, before anything has been made. */
export async function openPrivateWorld(): Promise<PrivateWorld> {
  const codex = installedCodex();
  const parent = tmpdir();
  const dir = await makeTempDir(
    process.platform === "win32" || parent.length <= LONGEST_PARENT ? parent : "/tmp",
  );
  try {
    return await furnish(dir, codex);
  } catch (error) {
    await dir.remove();
    throw error;
  }
}

async function furnish(dir: TempDir, codex: string): Promise<PrivateWorld> {
  const place = async (name: string): Promise<string> => {
    const path = join(dir.path, name);
    await mkdir(path, { mode: 0o700 });
    return path;
  };
  const workspace = await place("work");
  const codexHome = await place("codex-home");
  const temporary = await place("tmp");
  // Codex runs the login profile that it finds there, which may do anything at all.
  const userHome = await place("home");
  const stateDir = join(dir.path, "state");
  const markValue = randomUUID();
  const withheld = decisiveEnvironment(process.env).map(([name]) => name);
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    HOME: userHome,
    CODEX_HOME: codexHome,
    CODEX_BROKER_STATE_DIR: stateDir,
    CODEX_BROKER_CODEX: codex,
    // What Codex leaves in the temporary directory is counted and removed with the rest.
    TMPDIR: temporary,
    TMP: temporary,
    TEMP: temporary,
    [MARK]: markValue,
  };
  for (const name of withheld) delete env[name];
  await writeFile(join(workspace, letter.name), letter.text);
  const sandboxed = await sandboxWorks(codex, workspace, env);
  const model = await startScriptedModel();
  const config = configToml({
    modelUrl: model.url,
    trusted: [workspace],
    ...(sandboxed ? { sandboxMode: "workspace-write" } : {}),
  });
  await writeFile(join(codexHome, "config.toml"), config, { mode: 0o600 });
  const clients: BrokerClient[] = [];
  return {
    dir,
    workspace,
    stateDir,
    codexHome,
    codex,
    model,
    env,
    withheld,
    mark: `${MARK}=${markValue}`,
    sandboxed,
    async connect(name, options = {}) {
      const client = await connectBroker({
        ...options,
        cwd: workspace,
        env,
        clientInfo: { name, version: BROKER_VERSION },
        startTimeoutMs: CONNECT_LIMIT_MS,
      });
      clients.push(client);
      return client;
    },
    disconnect() {
      for (const client of clients.splice(0)) client.close();
    },
  };
}

function installedCodex(): string {
  try {
    return realCodex().native;
  } catch (cause) {
    throw new BrokerError("codexNotFound", "The demo's own codex is not in node_modules.", {
      cause,
      hint: "Run `npm ci` first; where that leaves it out, there is no codex for this platform.",
    });
  }
}

/** It takes features of the kernel that a container often withholds. */
async function sandboxWorks(codex: string, cwd: string, env: NodeJS.ProcessEnv): Promise<boolean> {
  if (process.platform === "win32") return false;
  const trial = promisify(execFile)(codex, ["sandbox", "--", "true"], {
    cwd,
    env,
    timeout: SANDBOX_TRIAL_LIMIT_MS,
  });
  return await trial.then(
    () => true,
    () => false,
  );
}
