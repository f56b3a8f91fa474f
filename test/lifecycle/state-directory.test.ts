import { existsSync } from "node:fs";
import { userInfo } from "node:os";
import path from "node:path";
import { describe, expect, test } from "vitest";
import {
  scopeDirectory,
  stateDirectory,
  usualStateDirectory,
} from "../../src/lifecycle/state-directory.ts";

/** An account without one, as in some containers, has only HOME to go by. */
const HOME = homeOfAccount();

function homeOfAccount(): string | undefined {
  try {
    const { homedir } = userInfo();
    return existsSync(homedir) ? homedir : undefined;
  } catch {
    return undefined;
  }
}

describe.skipIf(HOME === undefined)("the state directory (F04)", () => {
  test("is that of the account, whatever a host has put into the environment", () => {
    const hosts: NodeJS.ProcessEnv[] = [
      {},
      { HOME: "/elsewhere" },
      { XDG_STATE_HOME: "/elsewhere", XDG_DATA_HOME: "/elsewhere", XDG_RUNTIME_DIR: "/elsewhere" },
      { TMPDIR: "/elsewhere", TMP: "/elsewhere", TEMP: "/elsewhere" },
      { CLAUDE_PLUGIN_DATA: "/elsewhere", CODEX_HOME: "/elsewhere", PWD: "/elsewhere" },
      { CODEX_BROKER_STATE_DIR: "" },
    ];
    const home = process.env["HOME"];
    try {
      const found = hosts.map((env) => {
        if (env["HOME"] !== undefined) process.env["HOME"] = env["HOME"];
        return stateDirectory(env);
      });
      for (const each of found) expect(each).toEqual(stateDirectory());
      expect(found[0]?.overridden).toBe(false);
      expect(found[0]?.path.startsWith(HOME ?? "")).toBe(true);
      expect(path.basename(found[0]?.path ?? "")).toBe("codex-broker");
    } finally {
      if (home === undefined) delete process.env["HOME"];
      else process.env["HOME"] = home;
    }
  });

  test("F85: does not follow the temporary directory", () => {
    expect(stateDirectory({ TMPDIR: "/tmp/x" })).toEqual(stateDirectory({ TMPDIR: "/y" }));
  });

  test("is another one when the user says so, and that is told", () => {
    expect(stateDirectory({ CODEX_BROKER_STATE_DIR: "/chosen/../there" })).toEqual({
      path: path.resolve("/there"),
      overridden: true,
    });
  });
});

test("F04: a relative one is refused, because it would lead every program somewhere else", () => {
  expect(() => stateDirectory({ CODEX_BROKER_STATE_DIR: "state" })).toThrow(
    /"state", which is not an absolute path/,
  );
});

test.each([
  ["C:\\Users\\x\\AppData\\Local", "C:\\Users\\x\\AppData\\Local\\codex-broker"],
  ["D:\\Local", "D:\\Local\\codex-broker"],
  ["\\\\server\\share\\x", "\\\\server\\share\\x\\codex-broker"],
  ["", "C:\\Users\\x\\AppData\\Local\\codex-broker"],
  [undefined, "C:\\Users\\x\\AppData\\Local\\codex-broker"],
  ["Other", "C:\\Users\\x\\Other\\codex-broker"],
])("on Windows LOCALAPPDATA=%s is used as it is, on any drive (F137)", (LOCALAPPDATA, expected) => {
  const env = LOCALAPPDATA === undefined ? {} : { LOCALAPPDATA };
  expect(usualStateDirectory(env, "C:\\Users\\x", "win32")).toBe(expected);
});

test("formats lie side by side, and scopes in each", () => {
  expect(scopeDirectory("/state", "key")).toBe(path.join("/state", "v2", "key"));
});
