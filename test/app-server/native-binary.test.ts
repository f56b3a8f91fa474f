import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { resolveNative } from "../../src/app-server/native-binary.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeTempDir, type TempDir } from "../support/temp-dir.ts";
import { HOSTS, link, put, putLauncher, putNative, putProgram } from "./install-tree.ts";
import { npmCmd, npmPowerShell, npmSh, pnpmCmd, voltaCmd } from "./shims.ts";

guardAgainstLeaks();

let dir: TempDir;
beforeEach(async () => void (dir = await makeTempDir()));
afterEach(async () => await dir.remove());

const linux = HOSTS[0];
const windows = HOSTS[4];
const GLOBAL_LAUNCHER = "node_modules/@openai/codex/bin/codex.js";

describe.each(HOSTS)("on $platform $arch", (host) => {
  test("F76: the launcher of npm leads to the binary of the platform's package", () => {
    const modules = join(dir.path, "node_modules");
    const launcher = putLauncher(modules);
    const native = putNative(modules, host);
    expect(resolveNative(launcher, host)).toEqual({ path: native, native: true });
  });

  test("so does the layout of older packages, and the newer one goes first", () => {
    const modules = join(dir.path, "node_modules");
    const launcher = putLauncher(modules);
    const older = putNative(modules, host, "codex");
    expect(resolveNative(launcher, host).path).toBe(older);
    const newer = putNative(modules, host);
    expect(resolveNative(launcher, host).path).toBe(newer);
  });

  test("F75: every shim of npm leads there too", () => {
    const native = putNative(join(dir.path, "node_modules"), host);
    putLauncher(join(dir.path, "node_modules"));
    const shims = [
      put(join(dir.path, "codex.cmd"), npmCmd(GLOBAL_LAUNCHER)),
      put(join(dir.path, "codex.ps1"), npmPowerShell(GLOBAL_LAUNCHER)),
      put(join(dir.path, "codex"), npmSh(GLOBAL_LAUNCHER)),
    ];
    // A `.cmd` is a shim on Windows alone; elsewhere nobody would put one on PATH.
    for (const shim of host.platform === "win32" ? shims : shims.slice(1)) {
      expect(resolveNative(shim, host)).toEqual({ path: native, native: true });
    }
  });

  test("a native binary is itself", () => {
    const native = putNative(join(dir.path, "node_modules"), host);
    expect(resolveNative(native, host)).toEqual({ path: native, native: true });
  });
});

describe("links", () => {
  test("of a global installation are followed: bin/codex, then node_modules/.bin/codex", () => {
    const modules = join(dir.path, "lib", "node_modules");
    putLauncher(modules);
    const native = putNative(join(modules, "@openai", "codex", "node_modules"), linux);
    const shims = [
      link(join(dir.path, "bin", "codex"), `../lib/${GLOBAL_LAUNCHER}`),
      link(join(modules, ".bin", "codex"), "../@openai/codex/bin/codex.js"),
    ];
    for (const shim of shims) {
      expect(resolveNative(shim, linux)).toEqual({ path: native, native: true });
    }
  });

  test("of pnpm's store are followed", () => {
    const store = join(dir.path, "node_modules", ".pnpm", "@openai+codex@1", "node_modules");
    const own = join(
      dir.path,
      "node_modules",
      ".pnpm",
      "@openai+codex@1-linux-x64",
      "node_modules",
    );
    putLauncher(store);
    const native = putNative(own, linux);
    link(join(store, "@openai", "codex-linux-x64"), join(own, "@openai", "codex-linux-x64"));
    link(join(dir.path, "node_modules", "@openai", "codex"), join(store, "@openai", "codex"));
    const launcher = join(dir.path, "node_modules", "@openai", "codex", "bin", "codex.js");
    expect(resolveNative(launcher, linux)).toEqual({ path: native, native: true });
  });

  test("to a binary with codex in its name are followed", () => {
    const native = putProgram(join(dir.path, "0.1", "codex-x86_64-unknown-linux-musl"), "linux");
    const found = link(join(dir.path, "bin", "codex"), native);
    expect(resolveNative(found, linux)).toEqual({ path: native, native: true });
  });

  test("to a program that serves many names keep the name", () => {
    const mise = putProgram(join(dir.path, "mise"), "linux");
    const found = link(join(dir.path, "shims", "codex"), mise);
    expect(resolveNative(found, linux)).toEqual({ path: found, native: false });
  });
});

describe("shims", () => {
  test("F75: of pnpm lead to the binary", () => {
    const launcher = "global/5/node_modules/@openai/codex/bin/codex.js";
    putLauncher(join(dir.path, "global", "5", "node_modules"));
    const native = putNative(join(dir.path, "global", "5", "node_modules"), windows);
    const shim = put(join(dir.path, "codex.CMD"), pnpmCmd(launcher));
    expect(resolveNative(shim, windows)).toEqual({ path: native, native: true });
  });

  test("F75: in a local .bin lead to the binary, over a path with blanks", () => {
    const modules = join(dir.path, "a b", "node_modules");
    putLauncher(modules);
    const native = putNative(modules, windows);
    const shim = put(join(modules, ".bin", "codex.cmd"), npmCmd("../@openai/codex/bin/codex.js"));
    expect(resolveNative(shim, windows)).toEqual({ path: native, native: true });
  });

  test.each([
    { host: linux, prefix: ["lib"] },
    { host: windows, prefix: [] },
  ])("of Volta lead to the binary on $host.platform", ({ host, prefix }) => {
    const packages = join(dir.path, "tools", "image", "packages", "@openai", "codex");
    const modules = join(packages, ...prefix, "node_modules");
    putLauncher(modules);
    const native = putNative(join(modules, "@openai", "codex", "node_modules"), host);
    const shim =
      host === windows
        ? put(join(dir.path, "bin", "codex.cmd"), voltaCmd())
        : link(
            join(dir.path, "bin", "codex"),
            putProgram(join(dir.path, "bin", "volta-shim"), "linux"),
          );
    expect(resolveNative(shim, host)).toEqual({ path: native, native: true });
  });

  test("of Volta for a codex that it does not have keep their name", () => {
    const shim = putProgram(join(dir.path, "bin", "volta-shim"), "linux");
    const found = link(join(dir.path, "bin", "codex"), shim);
    expect(resolveNative(found, linux)).toEqual({ path: found, native: false });
  });

  test("are started as they are on POSIX when they lead nowhere", () => {
    const own = put(join(dir.path, "codex"), '#!/bin/sh\nexec mise x -- codex "$@"\n');
    const broken = put(join(dir.path, "b", "codex"), npmSh(GLOBAL_LAUNCHER));
    for (const shim of [own, broken, putLauncher(join(dir.path, "node_modules"))]) {
      expect(resolveNative(shim, linux)).toEqual({ path: shim, native: false });
    }
  });

  test("F73: are refused on Windows when they lead nowhere, for they would need a shell", () => {
    const shims = [
      put(join(dir.path, "codex.cmd"), npmCmd(GLOBAL_LAUNCHER)),
      put(join(dir.path, "codex.ps1"), npmPowerShell(GLOBAL_LAUNCHER)),
      put(join(dir.path, "codex"), npmSh(GLOBAL_LAUNCHER)),
      put(join(dir.path, "own.cmd"), "@echo off\r\nwsl codex %*\r\n"),
      putLauncher(join(dir.path, "other", "node_modules")),
    ];
    for (const shim of shims) {
      const resolving = (): unknown => resolveNative(shim, windows);
      expect(resolving).toThrow(expect.objectContaining({ kind: "codexUnusable" }));
      expect(resolving).toThrow("@openai/codex-win32-x64");
    }
  });
});

describe("what is neither a program nor a script", () => {
  test("is refused, because execvp would hand it to a shell", () => {
    for (const content of ["", "echo hello\n", "{}"]) {
      const path = put(join(dir.path, "codex"), content);
      expect(() => resolveNative(path, linux)).toThrow(
        expect.objectContaining({ kind: "codexUnusable" }),
      );
    }
  });

  test("is not replaced by a package that happens to lie above it", () => {
    putNative(join(dir.path, "node_modules"), linux);
    const own = putProgram(join(dir.path, "sub", "codex"), "linux");
    expect(resolveNative(own, linux).path).toBe(own);
  });
});

test("an emulated binary is taken where only that one is installed, and only where there is emulation", () => {
  const [, linuxArm, , macArm, , windowsArm] = HOSTS;
  const modules = join(dir.path, "node_modules");
  const launcher = putLauncher(modules);
  const [linuxX64, , macX64, , windowsX64] = HOSTS;
  const mac = putNative(modules, macX64);
  const win = putNative(modules, windowsX64);
  putNative(modules, linuxX64);
  expect(resolveNative(launcher, macArm).path).toBe(mac);
  expect(resolveNative(launcher, windowsArm).path).toBe(win);
  expect(resolveNative(launcher, linuxArm)).toEqual({ path: launcher, native: false });
});

test("a platform without a codex is named", () => {
  const launcher = put(join(dir.path, "codex.cmd"), npmCmd(GLOBAL_LAUNCHER));
  const host = { platform: "win32", arch: "ia32" } as const;
  expect(() => resolveNative(launcher, host)).toThrow(/no codex for win32 on ia32/);
});
