import { mkdirSync } from "node:fs";
import { join, relative } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { locateCodex, type LocateOptions } from "../../src/app-server/locate.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { realCodex } from "../support/real-codex.ts";
import { makeTempDir, type TempDir } from "../support/temp-dir.ts";
import { HOSTS, link, put, putLauncher, putNative, putProgram } from "./install-tree.ts";
import { npmCmd, npmSh } from "./shims.ts";

guardAgainstLeaks();

let dir: TempDir;
beforeEach(async () => void (dir = await makeTempDir()));
afterEach(async () => await dir.remove());

const linux = HOSTS[0];
const windows = HOSTS[4];

function locate(options: Partial<LocateOptions>): ReturnType<typeof locateCodex> {
  return locateCodex({ env: {}, from: dir.path, platform: "linux", arch: "x64", ...options });
}

function refusal(kind: string): unknown {
  return expect.objectContaining({ kind });
}

describe("the order", () => {
  test("is option, environment, PATH, node_modules", () => {
    const option = putProgram(join(dir.path, "1", "codex"), "linux");
    const environment = putProgram(join(dir.path, "2", "codex"), "linux");
    const path = putProgram(join(dir.path, "3", "codex"), "linux");
    const launcher = putLauncher(join(dir.path, "node_modules"));
    const native = putNative(join(dir.path, "node_modules"), linux);

    const env: NodeJS.ProcessEnv = { CODEX_BROKER_CODEX: environment, PATH: join(dir.path, "3") };
    expect(locate({ explicit: option, env })).toEqual({
      path: option,
      foundAs: option,
      source: "option",
      native: true,
    });
    expect(locate({ env })).toMatchObject({ path: environment, source: "environment" });
    delete env["CODEX_BROKER_CODEX"];
    expect(locate({ env })).toMatchObject({ path, source: "path" });
    expect(locate({})).toEqual({
      path: native,
      foundAs: launcher,
      source: "node_modules",
      native: true,
    });
  });

  test("takes an empty variable for none", () => {
    putProgram(join(dir.path, "3", "codex"), "linux");
    const env = { CODEX_BROKER_CODEX: "", PATH: join(dir.path, "3") };
    expect(locate({ env }).source).toBe("path");
  });
});

describe("a codex that was named", () => {
  const fallBack = (): NodeJS.ProcessEnv => {
    putProgram(join(dir.path, "path", "codex"), "linux");
    return { PATH: join(dir.path, "path") };
  };

  test("is not replaced by another one when it is missing", () => {
    const missing = join(dir.path, "missing", "codex");
    const env = fallBack();
    expect(() => locate({ explicit: missing, env })).toThrow(refusal("codexNotFound"));
    expect(() => locate({ explicit: missing, env })).toThrow(missing);
    const named = { ...env, CODEX_BROKER_CODEX: missing };
    expect(() => locate({ env: named })).toThrow(refusal("codexNotFound"));
    expect(() => locate({ env: named })).toThrow("CODEX_BROKER_CODEX");
  });

  test("is refused when it is a directory or cannot be executed", () => {
    const directory = join(dir.path, "directory");
    mkdirSync(directory);
    const plain = putProgram(join(dir.path, "plain"), "linux", 0o644);
    const script = put(join(dir.path, "script.mjs"), "#!/usr/bin/env node\n", 0o644);
    const dangling = link(join(dir.path, "dangling"), "nowhere");
    expect(() => locate({ explicit: dangling, env: fallBack() })).toThrow(refusal("codexNotFound"));
    for (const explicit of [directory, plain, script]) {
      expect(() => locate({ explicit, env: {} })).toThrow(refusal("codexUnusable"));
    }
  });

  test("may be relative to the working directory, and comes out absolute", () => {
    const script = put(join(dir.path, "own.mjs"), "#!/usr/bin/env node\n");
    const explicit = join(".", relative(process.cwd(), script));
    expect(locate({ explicit })).toEqual({
      path: script,
      foundAs: script,
      source: "option",
      native: false,
    });
  });

  test("may be a bare name, which is looked up in PATH", () => {
    const nightly = putProgram(join(dir.path, "bin", "codex-nightly"), "linux");
    const env = { PATH: join(dir.path, "bin") };
    expect(locate({ explicit: "codex-nightly", env }).path).toBe(nightly);
    expect(() => locate({ explicit: "codex-weekly", env })).toThrow(refusal("codexNotFound"));
  });
});

describe("PATH", () => {
  test("is walked past what is missing, not a file or not executable", () => {
    putProgram(join(dir.path, "1", "codex"), "linux", 0o644);
    mkdirSync(join(dir.path, "2", "codex"), { recursive: true });
    const good = putProgram(join(dir.path, "3", "codex"), "linux");
    const PATH = ["0", "1", "2", "3"].map((name) => join(dir.path, name)).join(":");
    expect(locate({ env: { PATH } }).path).toBe(good);
  });

  test("never means the working directory, where a workspace could put its own", () => {
    putProgram(join(dir.path, "codex"), "linux");
    const here = relative(process.cwd(), dir.path);
    for (const PATH of ["", ":", ".", here, `${here}:`]) {
      expect(() => locate({ env: { PATH } })).toThrow(refusal("codexNotFound"));
    }
  });

  test("F75: finds the shim of npm on Windows, and the binary behind it", () => {
    const bin = join(dir.path, "npm");
    putLauncher(join(bin, "node_modules"));
    const native = putNative(join(bin, "node_modules"), windows);
    put(join(bin, "codex"), npmSh("node_modules/@openai/codex/bin/codex.js"));
    const cmd = put(join(bin, "codex.cmd"), npmCmd("node_modules/@openai/codex/bin/codex.js"));
    const env = { Path: `relative;"${bin}"`, PathExt: ".COM;.EXE;.BAT;.CMD;.VBS;.JS" };
    expect(locate({ env, platform: "win32" })).toEqual({
      path: native,
      foundAs: cmd,
      source: "path",
      native: true,
    });
    expect(locate({ env: { PATH: bin }, platform: "win32" }).path).toBe(native);
  });

  test("F75: prefers a program over a shim beside it, as PATHEXT says, and takes names with an extension", () => {
    put(join(dir.path, "codex.cmd"), npmCmd("node_modules/@openai/codex/bin/codex.js"));
    const exe = putProgram(join(dir.path, "codex.exe"), "win32");
    const env = { PATH: dir.path };
    expect(locate({ env, platform: "win32" }).path).toBe(exe);
    expect(locate({ explicit: "codex.exe", env, platform: "win32" }).path).toBe(exe);
    expect(locate({ explicit: join(dir.path, "codex"), platform: "win32" }).path).toBe(exe);
  });
});

describe("nothing found", () => {
  test("says where was looked", () => {
    const PATH = ["a", "b"].map((name) => join(dir.path, name)).join(":");
    const looking = (): unknown => locate({ env: { PATH } });
    expect(looking).toThrow(refusal("codexNotFound"));
    expect(looking).toThrow(`PATH (${join(dir.path, "a")}, ${join(dir.path, "b")})`);
    expect(looking).toThrow(`node_modules from ${dir.path} upwards`);
    expect(() => locate({})).toThrow("PATH (which is empty)");
  });
});

test("the codex that npm installed here is found, and found as its native binary", () => {
  const { native, launcher } = realCodex();
  const found = locateCodex({ env: {} });
  expect(found).toEqual({ path: native, foundAs: launcher, source: "node_modules", native: true });
  const bin = join(launcher, "..", "..", "..", "..", ".bin");
  expect(locateCodex({ env: { PATH: bin } })).toMatchObject({ path: native, source: "path" });
});

test("it takes less than a millisecond, with fifteen directories in PATH before the right one", () => {
  const { launcher } = realCodex();
  const bin = join(launcher, "..", "..", "..", "..", ".bin");
  const others = Array.from({ length: 15 }, (_, index) => join(dir.path, String(index)));
  const env = { PATH: [...others, bin].join(":") };
  const took = Array.from({ length: 50 }, () => {
    const start = performance.now();
    locateCodex({ env });
    return performance.now() - start;
  });
  // The quickest, because the machine may be busy with other suites.
  expect(Math.min(...took)).toBeLessThan(1);
});
