import { execFileSync } from "node:child_process";
import { readFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { ENVIRONMENT_TABLE } from "../../src/lifecycle/environment-table.ts";
import { CLI, cli, lastJson, privateEnvironment } from "../cli/program.ts";
import { makeRepository } from "../support/git-repository.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { realCodex } from "../support/real-codex.ts";
import { makeWorld, type World } from "../support/world.ts";

guardAgainstLeaks();
vi.setConfig({ testTimeout: 120_000 });

const NAMES_OF_CODEX = /(?:CODEX|OPENAI)_[A-Z0-9_]+/g;
/** Constants of this many bytes are compared in the code itself, and lie there in pieces. */
const PIECE = 8;
/** Not variables: values of enumerations, constants of scripts and of the build, texts. */
const OTHERS = [
  "CODEX_URL",
  "CODEX_AUTH",
  "CODEX_CLI",
  "CODEX_DESKTOP_APP",
  "CODEX_IDE_VSCODE",
  "CODEX_WORK_DESKTOP",
  "CODEX_WORK_MOBILE",
  "CODEX_WEB",
  "CODEX_CHAT",
  "CODEX_GITHUB",
  "CODEX_BWRAP_SHA256",
  "CODEX_MARKETPLACE_HAVE",
  "CODEX_APPS",
  "OPENAI_CLUSTER",
];

const LIES_IN_PIECES = ["OPENAI_PROJECT"];

/** What a command in Codex prints, in a broker that the given environment started. */
async function printed(world: World, env: NodeJS.ProcessEnv, command: string): Promise<string> {
  const { code, stdout } = await cli(world, ["run", "-q", `shell: ${command}`], { env });
  expect(code).toBe(0);
  return stdout;
}

test("every name of Codex in its binary has a rule, and every rule has a name in it (F130)", () => {
  const binary = readFileSync(realCodex().native).toString("latin1");
  const patterns = ENVIRONMENT_TABLE.flatMap(({ names }) => names).filter((name) =>
    /^(?:CODEX|OPENAI)_(?!BROKER|COMPANION)/.test(name),
  );
  const known = [...patterns.map((name) => name.replace("*", "")), ...OTHERS];
  const unknown = new Set<string>();
  for (const [run] of binary.matchAll(NAMES_OF_CODEX)) {
    // Neighbouring constants have no separator.
    for (const name of run.split(/(?=CODEX_|OPENAI_)/)) {
      const whole = known.some((each) => name.startsWith(each));
      const piece = name.slice(0, Math.floor(name.length / PIECE) * PIECE);
      if (!whole && !known.some((each) => each.startsWith(piece))) unknown.add(name);
    }
  }
  expect([...unknown]).toEqual([]);
  const missing = patterns.filter((name) => !binary.includes(name.replace("*", "")));
  expect(missing).toEqual(LIES_IN_PIECES);
});

test("a broker that a git hook of a linked worktree starts belongs to no repository (F128)", async () => {
  await using world = await makeWorld();
  const main = join(world.workspace, "main");
  const linked = join(world.workspace, "linked");
  const other = join(world.workspace, "other");
  for (const directory of [main, other]) {
    mkdirSync(directory);
    makeRepository(directory).git("commit", "-q", "--allow-empty", "-m", "first");
  }
  const env = { ...privateEnvironment(world), GIT_CONFIG_GLOBAL: "/dev/null" };
  const git = (cwd: string, ...args: string[]): string =>
    execFileSync("git", args, { cwd, env, encoding: "utf8" });
  git(main, "worktree", "add", "-q", linked);
  const hook = join(git(linked, "rev-parse", "--git-common-dir").trim(), "hooks", "pre-commit");
  const ensured = join(world.workspace, "ensured");
  const command = `"${process.execPath}" "${CLI}" ensure --json > "${ensured}"`;
  writeFileSync(hook, `#!/bin/sh\nenv > "${world.workspace}/of-hook"\n${command}\n`, {
    mode: 0o755,
  });
  git(linked, "commit", "-q", "--allow-empty", "-m", "one", "--date", "2001-02-03T04:05:06Z");
  expect(readFileSync(join(world.workspace, "of-hook"), "utf8")).toMatch(/^GIT_DIR=/m);
  const ask = `git -C ${other} rev-parse --show-toplevel; env | grep -c ^GIT_AUTHOR_DATE`;
  const { code, stdout } = await cli(world, ["run", "-q", `shell: ${ask}`], { cwd: linked });
  expect(code).toBe(0);
  expect(stdout).toContain(`${other}\n0`);
  const status = await cli(world, ["status", "--json"], { cwd: linked });
  const { instance } = lastJson(readFileSync(ensured, "utf8"));
  expect(lastJson(status.stdout)).toMatchObject({ instance });
});

test("marks of the starter do not reach the commands of others (F128)", async () => {
  await using world = await makeWorld();
  const marks = {
    ELECTRON_RUN_AS_NODE: "1",
    CODEX_THREAD_ID: "of-the-starter",
    CODEX_SANDBOX_NETWORK_DISABLED: "1",
    CLAUDECODE: "1",
    TMUX: "/tmp/tmux",
    npm_lifecycle_event: "test",
    npm_config_prefix: "/of/the/starter",
    CODEX_BROKER_ALLOW_MCP: "all",
    MAKEFLAGS: "-j",
  };
  const text = await printed(world, marks, "env");
  expect(text).not.toContain("of-the-starter");
  const lines = text.split("\n");
  const left = Object.entries(marks).filter(([name, value]) => lines.includes(`${name}=${value}`));
  expect(left).toEqual([]);
});

test("NODE_OPTIONS reaches the commands of Codex and not the broker (F128)", async () => {
  await using world = await makeWorld();
  const text = await printed(world, { NODE_OPTIONS: "--no-warnings" }, "env");
  expect(text.split("\n")).toContain("NODE_OPTIONS=--no-warnings");
  const { pid } = lastJson((await cli(world, ["status", "--json"])).stdout) as { pid: number };
  if (process.platform !== "linux") return;
  expect(readFileSync(`/proc/${pid}/environ`, "utf8")).not.toContain("NODE_OPTIONS=");
});

test("variables of third parties do not split a workspace (F130)", async () => {
  await using world = await makeWorld();
  const before = lastJson((await cli(world, ["ensure", "--json"])).stdout);
  const env = { CODEX_SHELL: "1", CODEX_PATH: "/x", CODEX_CONFIG: "{}", CODEX_ACP_MODE: "editor" };
  const after = lastJson((await cli(world, ["ensure", "--json"], { env })).stdout);
  expect(after["instance"]).toBe(before["instance"]);
});

test("a provider's key that only the asking shell has is used; without it, the error names it (F129)", async () => {
  await using world = await makeWorld();
  const provider = [
    "[model_providers.keyed]",
    'name = "keyed"',
    `base_url = ${JSON.stringify(world.model.url)}`,
    'wire_api = "responses"',
    'env_key = "KEY_OF_THE_ASKER"',
    "request_max_retries = 0",
    "stream_max_retries = 0",
    "supports_websockets = false",
  ].join("\n");
  await world.home.configure({
    modelUrl: world.model.url,
    trusted: [world.workspace],
    settings: { model_provider: "keyed" },
    tables: provider,
  });
  const without = await cli(world, ["run", "say: hello"]);
  expect(without.code).toBe(1);
  expect(without.stderr).toContain("KEY_OF_THE_ASKER");
  expect(without.stderr).toMatch(/Set KEY_OF_THE_ASKER .* and run this again/);
  expect(without.stderr).not.toContain("--resume");
  const env = { KEY_OF_THE_ASKER: "a-secret" };
  const withIt = await cli(world, ["run", "-q", "say: hello"], { env });
  expect(withIt).toMatchObject({ code: 0, stdout: "hello\n" });
});
