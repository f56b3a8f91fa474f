import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, stop } from "esbuild";
import { describe, expect, test } from "vitest";
import { diagnose } from "../../src/doctor/diagnose.ts";
import { groundChecks } from "../../src/cli/setup/checks.ts";
import { unwritableIn } from "../../src/doctor/observe/codex-home.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeTempDir } from "../support/temp-dir.ts";
import { seen } from "./seen.ts";

guardAgainstLeaks();

const MODULE = fileURLToPath(new URL("../../src/doctor/observe/codex-home.ts", import.meta.url));
const IS_ROOT = process.getuid?.() === 0;
const NOBODY = 54_321;
const TODAY = new Date(2030, 0, 2);

/** Everything may be written by root, so that root looks as another user. */
async function lookAt(home: string, program: string): Promise<unknown> {
  await build({
    stdin: {
      contents: `import { unwritableIn } from ${JSON.stringify(MODULE)};
        console.log(JSON.stringify(unwritableIn(process.argv[2], new Date(2030, 0, 2)) ?? null));`,
      resolveDir: home,
    },
    outfile: program,
    bundle: true,
    platform: "node",
    logLevel: "error",
  });
  await stop();
  const { stdout, stderr } = spawnSync(process.execPath, [program, home], {
    encoding: "utf8",
    cwd: "/",
    ...(IS_ROOT ? { uid: NOBODY, gid: NOBODY } : {}),
  });
  if (stdout === "") throw new Error(stderr);
  return JSON.parse(stdout);
}

describe.skipIf(process.platform === "win32")("a CODEX_HOME", () => {
  test.each([
    [".", "the directory itself"],
    ["sessions", "the sessions, as after one run of sudo codex"],
    ["sessions/2030/01/02", "the sessions of today"],
    ["state_5.sqlite", "a database"],
  ])("that cannot be written at %s (%s) is found with its owner (F154)", async (name) => {
    await using dir = await makeTempDir();
    chmodSync(dir.path, 0o755);
    const home = join(dir.path, "home");
    const file = join(home, name);
    mkdirSync(name.endsWith(".sqlite") ? home : file, { recursive: true });
    if (name.endsWith(".sqlite")) writeFileSync(file, "");
    // Another user's directories around it stay usable, so that this one is what is found.
    for (let at = home; at.length < file.length; at = file.slice(0, next(file, at))) {
      chmodSync(at, 0o777);
    }
    chmodSync(file, 0o555);
    expect(await lookAt(home, join(dir.path, "look.cjs"))).toEqual({
      path: file,
      errno: "EACCES",
      owner: expect.stringMatching(/./) as string,
      own: !IS_ROOT,
    });
    for (let at = home; at.length < file.length; at = file.slice(0, next(file, at))) {
      chmodSync(at, 0o755);
    }
    chmodSync(file, 0o755);
  });

  test("with read-only settings, or that is not there yet, is in order (F154)", async () => {
    await using dir = await makeTempDir();
    const home = join(dir.path, "home");
    expect(unwritableIn(home, TODAY)).toBeUndefined();
    mkdirSync(home);
    writeFileSync(join(home, "config.toml"), "", { mode: 0o444 });
    expect(unwritableIn(home, TODAY)).toBeUndefined();
  });

  test.each([
    ["EACCES", false, "`sudo chown -R \"$(id -u):$(id -g)\" '/a b/.codex'`"],
    ["EACCES", true, "`chmod -R u+rwX '/a b/.codex'`"],
    ["EROFS", false, "Mount it writable"],
  ])(
    "is a finding and a failed check with what to type: %s, own %s (F154)",
    (errno, own, typed) => {
      const observations = seen({
        surroundings: {
          codexHome: { found: true, path: "/a b/.codex" },
          unwritable: { path: "/a b/.codex/sessions", errno, owner: "root (0)", own },
        },
      });
      const [found, ...others] = diagnose(observations);
      expect(others).toEqual([]);
      expect(found).toMatchObject({ code: "codexHomeUnwritable", severity: "error" });
      expect(found?.message).toContain(`/a b/.codex/sessions (${errno})`);
      if (errno === "EACCES" && !own) expect(found?.message).toContain("root (0)");
      expect(found?.next).toContain(typed);
      const [, codex] = groundChecks(observations, [found!]);
      expect(codex).toMatchObject({ name: "codex", state: "missing", fix: found?.next });
    },
  );
});

/** Returns the length of the path with one more name than the directory around it. */
function next(file: string, outer: string): number {
  const end = file.indexOf("/", outer.length + 1);
  return end === -1 ? file.length : end;
}
