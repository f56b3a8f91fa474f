import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { ENVIRONMENT_TABLE } from "../../src/lifecycle/environment-table.ts";
import { decisiveEnvironment, inheritanceFrom } from "../../src/lifecycle/environment.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";

guardAgainstLeaks();

function broker(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return inheritanceFrom(env).broker;
}

describe("the starter's environment (F128)", () => {
  test("loses every name that git calls local to a repository", () => {
    const output = execFileSync("git", ["rev-parse", "--local-env-vars"], { encoding: "utf8" });
    const names = output.trim().split("\n");
    expect(names).toContain("GIT_DIR");
    expect(broker(Object.fromEntries(names.map((name) => [name, "x"])))).toEqual({});
  });

  test("keeps the identity that a user gives to commits, unless git has set it for a hook", () => {
    const identity = { GIT_AUTHOR_NAME: "n", GIT_COMMITTER_EMAIL: "e", GIT_EDITOR: "vi" };
    expect(broker({ ...identity, GIT_AUTHOR_DATE: "d" })).toEqual(identity);
    for (const sign of ["GIT_INDEX_FILE", "GIT_PREFIX", "GIT_EXEC_PATH"]) {
      expect(broker({ ...identity, [sign]: "" })).toEqual({});
    }
  });

  test("keeps a user's npm settings, unless npm runs the starter as a script", () => {
    const settings = { npm_config_registry: "https://registry" };
    expect(broker(settings)).toEqual(settings);
    const script = { npm_lifecycle_event: "test", npm_config_prefix: "/p", INIT_CWD: "/p" };
    expect(broker({ ...settings, ...script, PATH: "/bin" })).toEqual({ PATH: "/bin" });
  });

  test.each([
    ["marks of a Codex command", { CODEX_THREAD_ID: "t", CODEX_SANDBOX: "s", CODEX_CI: "1" }],
    ["options of one call", { CODEX_BROKER_ALLOW_MCP: "all", CODEX_BROKER_PRIVATE: "1" }],
    ["marks of a host's session", { CLAUDECODE: "1", CLAUDE_PLUGIN_ROOT: "/p" }],
    ["its terminal", { TMUX: "t", TMUX_PANE: "%1", TERM_PROGRAM: "x", COLUMNS: "80" }],
    ["its parent", { NODE_CHANNEL_FD: "3", ELECTRON_RUN_AS_NODE: "1", MAKEFLAGS: "-j" }],
    ["its directory", { PWD: "/a", OLDPWD: "/b", _: "/bin/node" }],
  ])("loses %s", (_what, env) => {
    expect(inheritanceFrom(env)).toEqual({ broker: {}, restored: {} });
  });

  test("keeps what the user has chosen", () => {
    const env = {
      PATH: "/bin",
      SSH_AUTH_SOCK: "/s",
      CLAUDE_CONFIG_DIR: "/c",
      ANTHROPIC_API_KEY: "k",
      CODEX_BROKER_STATE_DIR: "/d",
      VSCODE_GIT_IPC_HANDLE: "/h",
      TERM: "xterm",
      CODEX_SHELL: "1",
      GIT_SSH_COMMAND: "ssh",
      HTTPS_PROXY: "p",
    };
    expect(broker(env)).toEqual(env);
  });

  test("is given to the app-server where it would change how the broker's Node runs", () => {
    const restored = { NODE_OPTIONS: "--no-warnings", NODE_EXTRA_CA_CERTS: "/c" };
    expect(inheritanceFrom({ ...restored, A: "b" })).toEqual({ broker: { A: "b" }, restored });
  });

  test("has no proxy of Codex's own, which ends with its command", () => {
    const proxies = { HTTP_PROXY: "http://127.0.0.1:1", https_proxy: "http://127.0.0.1:1" };
    expect(decisiveEnvironment(proxies)).toHaveLength(2);
    const inside = { ...proxies, CODEX_NETWORK_PROXY_ACTIVE: "1" };
    expect([decisiveEnvironment(inside), broker(inside)]).toEqual([[], {}]);
  });
});

test("the page about the environment has every row of the table", () => {
  const page = readFileSync(new URL("../../docs/environment.md", import.meta.url), "utf8");
  for (const { names, rule, because } of ENVIRONMENT_TABLE) {
    const row = page.split("\n").find((line) => line.startsWith("|") && line.includes(because));
    expect(row).toBeDefined();
    expect(row).toContain(`| ${rule} |`);
    for (const name of names) expect(row).toContain(`\`${name}\``);
  }
});
