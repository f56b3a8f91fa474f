import {
  chmodSync,
  mkdirSync,
  realpathSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { BrokerError } from "../../src/base/errors.ts";
import { decisiveEnvironment } from "../../src/lifecycle/environment.ts";
import {
  resolveScope,
  workspaceOf,
  type Scope,
  type ScopeOptions,
} from "../../src/lifecycle/scope.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeTempDir, type TempDir } from "../support/temp-dir.ts";

guardAgainstLeaks();

const POSIX = process.platform !== "win32";

let dir: TempDir;
let work: string;
let codexHome: string;
function makeGitTop(directory: string): void {
  mkdirSync(join(directory, ".git"), { recursive: true });
  writeFileSync(join(directory, ".git", "HEAD"), "ref: refs/heads/main\n");
}

beforeEach(async () => {
  dir = await makeTempDir();
  work = join(dir.path, "work");
  codexHome = join(dir.path, "codex-home");
  makeGitTop(work);
  mkdirSync(join(work, "packages", "one"), { recursive: true });
  mkdirSync(codexHome);
});
afterEach(() => dir.remove());

/** The scope of the workspace, in an environment with nothing but what is given. */
function scope(env: NodeJS.ProcessEnv = {}, options: ScopeOptions = {}): Scope {
  const base = { CODEX_HOME: codexHome, CODEX_BROKER_STATE_DIR: join(dir.path, "state") };
  // Any program will do: none is started here.
  return resolveScope({ cwd: work, codex: process.execPath, env: { ...base, ...env }, ...options });
}

function failureOf(act: () => unknown): BrokerError {
  try {
    act();
  } catch (error) {
    if (BrokerError.is(error)) return error;
    throw error;
  }
  throw new Error("it went well");
}

describe("the same work has the same key (F05)", () => {
  test("from every directory in it, and through every link to it", () => {
    const here = scope();
    symlinkSync(work, join(dir.path, "link"));
    symlinkSync(join(work, "packages"), join(dir.path, "inner-link"));
    const paths = [
      join(work, "packages"),
      join(work, "packages", "one"),
      `${work}/packages/../`,
      join(dir.path, "link"),
      join(dir.path, "link", "packages", "one"),
      join(dir.path, "inner-link", "one"),
    ];
    for (const cwd of paths) expect(scope({}, { cwd })).toEqual(here);
    expect(here.workspace).toBe(work);
  });

  test("from a relative path and from the current directory", () => {
    const here = scope();
    const before = process.cwd();
    try {
      process.chdir(join(work, "packages"));
      expect(scope({}, { cwd: "one" }).key).toBe(here.key);
      expect(scope({ CODEX_HOME: "../../codex-home" }, { cwd: ".." })).toEqual(here);
    } finally {
      process.chdir(before);
    }
  });

  test("where a worktree or a submodule has a file in the place of the git directory", () => {
    const tree = join(dir.path, "tree");
    mkdirSync(join(tree, "below"), { recursive: true });
    writeFileSync(join(tree, ".git"), `gitdir: ${work}/.git/worktrees/tree`);
    expect(workspaceOf(join(tree, "below"))).toBe(tree);
    makeGitTop(join(work, "packages", "one"));
    expect(workspaceOf(join(work, "packages", "one"))).toBe(join(work, "packages", "one"));
  });

  test("F05 F83: where Codex's sandbox has put an empty one, as if it were not there", () => {
    const below = join(work, "packages", "one");
    mkdirSync(join(below, ".git"));
    expect(workspaceOf(below)).toBe(work);
  });

  test("where there is no git, from that directory alone", () => {
    const plain = join(dir.path, "plain");
    mkdirSync(join(plain, "below"), { recursive: true });
    expect(workspaceOf(plain)).toBe(plain);
    expect(workspaceOf(join(plain, "below"))).toBe(join(plain, "below"));
  });
});

describe("what is part of the key", () => {
  const decisive: Record<string, NodeJS.ProcessEnv> = {
    "a proxy": { HTTPS_PROXY: "http://proxy:1" },
    "a proxy in small letters": { https_proxy: "http://proxy:1" },
    "what goes past the proxy": { NO_PROXY: "localhost" },
    "F66: an API key": { OPENAI_API_KEY: "sk-1" },
    "F66: another service": { OPENAI_BASE_URL: "http://127.0.0.1:1" },
    "F66: a key of Codex's own": { CODEX_API_KEY: "sk-2" },
    "where Codex keeps its database": { CODEX_SQLITE_HOME: "/elsewhere" },
  };
  test.each(Object.entries(decisive))("%s", (_what, env) => {
    expect(scope(env).key).not.toBe(scope().key);
    expect(scope(env).key).toBe(scope(env).key);
    const more = Object.entries(env).map(([name, value]) => [name, `${String(value)}0`]);
    expect(scope(Object.fromEntries(more) as NodeJS.ProcessEnv).key).not.toBe(scope(env).key);
  });

  test("F66: CODEX_HOME, by where it really is", () => {
    const other = join(dir.path, "other-home");
    mkdirSync(other);
    symlinkSync(codexHome, join(dir.path, "home-link"));
    expect(scope({ CODEX_HOME: other }).key).not.toBe(scope().key);
    expect(scope({ CODEX_HOME: join(dir.path, "home-link") })).toEqual(scope());
  });

  test("F66: the usual CODEX_HOME by where it really is, also where it is a link", () => {
    const variable = POSIX ? "HOME" : "USERPROFILE";
    const of = (name: string): Scope => scope({ CODEX_HOME: "", [variable]: join(dir.path, name) });
    for (const name of ["linked", "other"]) {
      mkdirSync(join(dir.path, name));
      symlinkSync(codexHome, join(dir.path, name, ".codex"));
    }
    expect(of("linked")).toEqual(scope());
    expect(of("other").key).toBe(scope().key);
  });

  test("F66: the home directory, where it is what decides on CODEX_HOME", () => {
    for (const name of ["one", "two"]) {
      mkdirSync(join(dir.path, name, ".codex"), { recursive: true });
    }
    const variable = POSIX ? "HOME" : "USERPROFILE";
    const of = (name: string): Scope => scope({ CODEX_HOME: "", [variable]: join(dir.path, name) });
    expect(of("one").codexHome).toBe(join(dir.path, "one", ".codex"));
    expect(of("one").key).not.toBe(of("two").key);
    expect(of("none").codexHome).toBe(join(dir.path, "none", ".codex"));
    const both = (home: string): string => scope({ [variable]: join(dir.path, home) }).key;
    expect(both("one")).toBe(both("two"));
  });

  test("the label, the codex binary and the workspace", () => {
    const other = join(dir.path, "other");
    mkdirSync(other);
    const codex = join(dir.path, "codex");
    writeFileSync(codex, "#!/bin/sh\n", { mode: 0o755 });
    const keys = [
      scope(),
      scope({}, { label: "a" }),
      scope({}, { label: "b" }),
      scope({}, { label: "" }),
      scope({}, { codex }),
      scope({}, { cwd: other }),
    ].map(({ key }) => key);
    expect(new Set(keys).size).toBe(keys.length);
  });

  test.skipIf(process.platform !== "linux")(
    "the directory itself: the same path with other files is another place (F125)",
    () => {
      const before = scope();
      renameSync(work, join(dir.path, "moved"));
      makeGitTop(work);
      const other = scope();
      expect(other.key).not.toBe(before.key);
      expect(other.place).toEqual({ ...before.place, workspace: other.place.workspace });
      symlinkSync(work, join(dir.path, "same-files"));
      expect(scope({}, { cwd: join(dir.path, "same-files") })).toEqual(other);
    },
  );

  test("the variables that Codex's configuration names, where they are set (F129)", () => {
    const env = { PROVIDER_KEY: "1", PROJECT_TOKEN: "2", PROFILE_TOKEN: "3" };
    const before = scope(env);
    expect(before.key).toBe(scope().key);
    const files = {
      PROVIDER_KEY: [codexHome, "config.toml", 'model_providers.p.env_key = "PROVIDER_KEY"'],
      PROFILE_TOKEN: [
        codexHome,
        "work.config.toml",
        '[mcp_servers.m]\nbearer_token_env_var = "PROFILE_TOKEN"',
      ],
      PROJECT_TOKEN: [
        join(work, ".codex"),
        "config.toml",
        'mcp_servers.m.env_http_headers = { "X-Token" = "PROJECT_TOKEN" }',
      ],
    };
    for (const [name, [directory = "", file = "", text = ""]] of Object.entries(files)) {
      mkdirSync(directory, { recursive: true });
      writeFileSync(join(directory, file), text);
      expect(scope({ ...env, [name]: undefined }).key).not.toBe(scope(env).key);
      expect(scope({ ...env, [name]: "other" }).key).not.toBe(scope(env).key);
      expect(Object.keys(scope(env).environment)).toContain(name);
    }
    expect(scope().key).toBe(before.key);
    expect(JSON.stringify(scope({ PROVIDER_KEY: "a-secret" }))).not.toContain("a-secret");
  });

  test("is not readable from it: neither a secret nor a path", () => {
    const { key, shortKey, directory } = scope({ OPENAI_API_KEY: "sk-secret" });
    expect(key).toMatch(/^[0-9a-f]{32}$/);
    expect(key.startsWith(shortKey)).toBe(true);
    expect(directory).toBe(join(dir.path, "state", "v2", key));
    expect(JSON.stringify(scope({ OPENAI_API_KEY: "sk-secret" }))).not.toContain("sk-secret");
  });
});

describe("what is not part of the key", () => {
  test.each([
    ["CODEX_BROKER_ANYTHING", "x"],
    ["CODEX_BROKER_CODEX", "/bin/other"],
    ["CODEX_COMPANION_BROKER_MAX_AGE_HOURS", "1"],
    ["CODEX_COMPANION_APP_SERVER_ENDPOINT", "unix:/x"],
    ["PATH", "/elsewhere"],
    ["TMPDIR", "/elsewhere"],
    ["XDG_RUNTIME_DIR", "/elsewhere"],
    ["XDG_STATE_HOME", "/elsewhere"],
    ["CLAUDE_PLUGIN_DATA", "/elsewhere"],
    ["PWD", "/elsewhere"],
    ["LANG", "C"],
    ["NODE_OPTIONS", "--no-warnings"],
    // What Codex itself sets for the commands that it runs: each of them would get a broker of its own.
    ["CODEX_SANDBOX", "seatbelt"],
    ["CODEX_SANDBOX_NETWORK_DISABLED", "1"],
    ["CODEX_THREAD_ID", "t"],
    ["CODEX_SESSION_ID", "s"],
    ["CODEX_TOOL_CALL_ID", "c"],
    ["CODEX_CI", "1"],
    ["CODEX_VERSION", "0.169.0"],
    ["CODEX_MANAGED_BY_NPM", "1"],
    // What programs around Codex set.
    ["CODEX_SHELL", "1"],
    ["CODEX_PATH", "/bin/codex"],
    ["CODEX_CONFIG", "{}"],
    ["CODEX_ACP_SOMETHING", "1"],
    ["OPENAI_MODEL", "x"],
    ["CODEX_INTERNAL_ORIGINATOR_OVERRIDE", "editor"],
  ])("F04 F130: %s", (name, value) => {
    expect(scope({ [name]: value }).key).toBe(scope().key);
  });

  test("the order in which the variables stand", () => {
    const names = ["OPENAI_PROJECT", "CODEX_API_KEY", "http_proxy", "HTTP_PROXY", "OPENAI_API_KEY"];
    const forwards = Object.fromEntries(names.map((name) => [name, name]));
    const backwards = Object.fromEntries(names.toReversed().map((name) => [name, name]));
    expect(scope(forwards).key).toBe(scope(backwards).key);
    expect(
      decisiveEnvironment(forwards)
        .map(([name]) => name)
        .toSorted(),
    ).toEqual(names.toSorted());
  });

  test("variables whose names only begin alike", () => {
    const others = { CODEX: "1", MY_CODEX_KEY: "1", OPENAI: "1", HTTP_PROXY_USER: "1" };
    expect(decisiveEnvironment({ ...others, OPENAI_API_KEY: undefined })).toEqual([]);
  });
});

describe("a workspace that cannot be used is refused with its path", () => {
  function refused(cwd: string): BrokerError {
    const error = failureOf(() => scope({}, { cwd }));
    expect(error).toMatchObject({ kind: "workspaceInvalid", details: { workspace: cwd } });
    expect(error.message).toContain(cwd);
    return error;
  }

  test("because it does not exist", () => {
    refused(join(dir.path, "none"));
    refused(join(work, "packages", "none"));
  });

  test("because it is a file", () => {
    writeFileSync(join(work, "file"), "");
    refused(join(work, "file"));
  });

  test("because it is a link to nowhere, or to itself", () => {
    symlinkSync(join(dir.path, "none"), join(dir.path, "broken"));
    symlinkSync(join(dir.path, "circle"), join(dir.path, "circle"));
    refused(join(dir.path, "broken"));
    refused(join(dir.path, "circle"));
  });

  test.skipIf(!POSIX)("because this user may not enter it", () => {
    const locked = join(dir.path, "locked");
    mkdirSync(join(locked, "below"), { recursive: true });
    chmodSync(locked, 0o600);
    chmodSync(dir.path, 0o755);
    const isRoot = process.getuid?.() === 0;
    // Root may enter everything, so he becomes somebody else for a moment.
    if (isRoot) process.seteuid?.(65_534);
    try {
      refused(join(locked, "below"));
    } finally {
      if (isRoot) process.seteuid?.(0);
      chmodSync(locked, 0o700);
    }
  });
});

describe("a CODEX_HOME that is not there", () => {
  test("is refused with its path, as Codex itself would", () => {
    const missing = join(dir.path, "none");
    expect(failureOf(() => scope({ CODEX_HOME: missing }))).toMatchObject({
      kind: "codexHomeMissing",
      details: { codexHome: missing },
    });
  });

  test("is no error where it is the usual one: Codex makes it", () => {
    const home = realpathSync(dir.path);
    const variable = POSIX ? "HOME" : "USERPROFILE";
    const before = scope({ CODEX_HOME: "", [variable]: home });
    expect(before.codexHome).toBe(join(home, ".codex"));
    renameSync(codexHome, join(home, ".codex"));
    expect(scope({ CODEX_HOME: "", [variable]: home }).key).toBe(before.key);
  });
});

test("a codex that is not there is told as that", () => {
  expect(failureOf(() => scope({}, { codex: join(dir.path, "none") })).kind).toBe("codexNotFound");
});
