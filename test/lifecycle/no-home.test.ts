import { spawnSync } from "node:child_process";
import { chmodSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, stop } from "esbuild";
import { expect, test } from "vitest";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeTempDir } from "../support/temp-dir.ts";

guardAgainstLeaks();

const LIFECYCLE = fileURLToPath(new URL("../../src/lifecycle", import.meta.url));

/** Only root can become a user that has no account. */
test.skipIf(process.getuid?.() !== 0).each([
  ["no HOME", {}],
  ["an empty HOME", { HOME: "" }],
  ["a relative HOME", { HOME: "home" }],
])(
  "a user without an account and with %s gets typed errors that say what to set (F155)",
  async (_, home) => {
    await using dir = await makeTempDir();
    chmodSync(dir.path, 0o755);
    const program = join(dir.path, "homeless.cjs");
    await build({
      stdin: {
        contents: `import { codexHomeOf } from ${JSON.stringify(`${LIFECYCLE}/scope.ts`)};
        import { stateDirectory } from ${JSON.stringify(`${LIFECYCLE}/state-directory.ts`)};
        const errorOf = (look) => { try { return look(); } catch (error) { return error; } };
        console.log(JSON.stringify([codexHomeOf, stateDirectory].map((look) => errorOf(() => look(process.env)))));`,
        resolveDir: dir.path,
      },
      outfile: program,
      bundle: true,
      platform: "node",
      logLevel: "error",
    });
    await stop();
    const { stdout, stderr } = spawnSync(process.execPath, [program], {
      encoding: "utf8",
      cwd: "/",
      env: home,
      uid: 54_321,
      gid: 54_321,
    });
    expect(stderr).toBe("");
    expect(JSON.parse(stdout)).toMatchObject([
      { kind: "codexHomeMissing", hint: expect.stringContaining("CODEX_HOME") as string },
      {
        kind: "stateDirUnusable",
        hint: expect.stringContaining("CODEX_BROKER_STATE_DIR") as string,
      },
    ]);
  },
);
