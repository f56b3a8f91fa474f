import { spawn } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ConnectOptions } from "../src/index.ts";
import { decisiveEnvironment } from "../src/lifecycle/environment.ts";
import { makeCodexHome } from "../test/support/codex-home.ts";
import { realCodex } from "../test/support/real-codex.ts";
import { stopBrokers } from "../test/support/stop-brokers.ts";
import { makeTempDir } from "../test/support/temp-dir.ts";
import { ended, firstLine } from "./child.ts";

/** A directory, an environment and a model that belong to the benchmarks alone. */
export interface Ground extends AsyncDisposable {
  readonly dir: string;
  readonly workspace: string;
  readonly stateDir: string;
  readonly codex: string;
  readonly env: NodeJS.ProcessEnv;
  /** What finds or starts the broker of this ground. */
  readonly wanted: ConnectOptions & { readonly cwd: string };
  /** A directory of its own, and all else as here: nothing that was started here is found there. */
  elsewhere(name: string, env?: NodeJS.ProcessEnv): Ground;
  /** Ends every broker that was started here or elsewhere. */
  stopAll(): Promise<void>;
}

/** The benchmarks run from `build/bench`. */
export function program(name: string): string {
  return fileURLToPath(new URL(`${name}.js`, import.meta.url));
}

export const distFile = (name: string): string =>
  fileURLToPath(new URL(`../../dist/${name}`, import.meta.url));

/** An app-server without threads that cost anything. */
export const STAND_IN = fileURLToPath(
  new URL("../../test/support/fake-app-server.mjs", import.meta.url),
);

/** A user's temporary directory alone may use up what a socket path may have. */
const LONGEST_PARENT = 30;

export async function makeGround(): Promise<Ground> {
  const dir = await makeTempDir(tmpdir().length <= LONGEST_PARENT ? tmpdir() : "/tmp");
  // The model is a process of its own: it must not slow down the clients that are measured.
  const model = spawn(process.execPath, [program("model")], { stdio: ["pipe", "pipe", "inherit"] });
  const modelUrl = await firstLine(model.stdout);
  const workspace = join(dir.path, "work");
  const user = join(dir.path, "user");
  await mkdir(workspace);
  await mkdir(user);
  const home = await makeCodexHome({ modelUrl, trusted: [workspace] });
  const codex = realCodex().native;
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    HOME: user,
    CODEX_HOME: home.path,
    CODEX_BROKER_CODEX: codex,
  };
  for (const [name] of decisiveEnvironment(process.env)) delete env[name];
  const stateDirs = new Set<string>();
  const stopAll = async (): Promise<void> => {
    await Promise.all([...stateDirs].map(stopBrokers));
  };
  const furnish = (name: string, more: NodeJS.ProcessEnv = {}): Ground => {
    const stateDir = join(dir.path, name);
    stateDirs.add(stateDir);
    const all = { ...env, ...more, CODEX_BROKER_STATE_DIR: stateDir };
    return {
      dir: dir.path,
      workspace,
      stateDir,
      codex,
      env: all,
      wanted: { cwd: workspace, env: all },
      elsewhere: furnish,
      stopAll,
      [Symbol.asyncDispose]: () => stopBrokers(stateDir),
    };
  };
  return {
    ...furnish("state"),
    async [Symbol.asyncDispose]() {
      await stopAll();
      await ended(model, () => model.stdin.end());
      await home.remove();
      await dir.remove();
    },
  };
}
