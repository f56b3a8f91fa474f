import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { connectBroker, type BrokerClient, type ConnectOptions } from "../../src/index.ts";
import { makeCodexHome, type CodexHome, type CodexHomeOptions } from "./codex-home.ts";
import { realCodex } from "./real-codex.ts";
import { startScriptedModel, type ScriptedModel } from "./scripted-model.ts";
import { stopBrokers } from "./stop-brokers.ts";
import { makeTempDir } from "./temp-dir.ts";

/** Everything a broker needs, and nothing of the user's: one of these a test, removed after it. */
export interface World extends AsyncDisposable {
  readonly model: ScriptedModel;
  readonly home: CodexHome;
  readonly workspace: string;
  readonly stateDir: string;
  /** For programs that are started as a user would. */
  readonly env: NodeJS.ProcessEnv;
  connect(options?: ConnectOptions): Promise<BrokerClient>;
}

export interface WorldOptions {
  /** The codex to be found. Default: the real one. */
  readonly codex?: string;
  readonly config?: Partial<CodexHomeOptions>;
  readonly env?: NodeJS.ProcessEnv;
}

export async function makeWorld(options: WorldOptions = {}): Promise<World> {
  const dir = await makeTempDir();
  const model = await startScriptedModel();
  const workspace = join(dir.path, "work");
  await mkdir(workspace);
  const home = await makeCodexHome({
    modelUrl: model.url,
    trusted: [workspace],
    ...options.config,
  });
  const stateDir = join(dir.path, "state");
  // Codex runs the login profile of the user it finds there once a thread.
  const userHome = join(dir.path, "user");
  await mkdir(userHome);
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    HOME: userHome,
    CODEX_HOME: home.path,
    CODEX_BROKER_STATE_DIR: stateDir,
    CODEX_BROKER_CODEX: options.codex ?? realCodex().native,
    ...options.env,
  };
  return {
    model,
    home,
    workspace,
    stateDir,
    env,
    connect: (more = {}) => connectBroker({ cwd: workspace, env, ...more }),
    async [Symbol.asyncDispose]() {
      await stopBrokers(stateDir);
      await model.close();
      await home.remove();
      await dir.remove();
    },
  };
}
