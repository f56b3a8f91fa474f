import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, stop } from "esbuild";
import { expect, test } from "vitest";
import { EXIT } from "../../src/base/errors.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeTempDir } from "../support/temp-dir.ts";

guardAgainstLeaks();

const PERFORM = fileURLToPath(new URL("../../src/cli/perform.ts", import.meta.url));

test("a command that waits for what nothing is left to bring says so, and is no success", async () => {
  await using dir = await makeTempDir();
  const program = join(dir.path, "waiting.cjs");
  await build({
    stdin: {
      contents: `import { perform } from ${JSON.stringify(PERFORM)};
        void perform(() => new Promise(() => {}), process.argv.slice(2));`,
      resolveDir: dir.path,
    },
    outfile: program,
    bundle: true,
    platform: "node",
    logLevel: "error",
  });
  await stop();
  const plain = spawnSync(process.execPath, [program], { encoding: "utf8" });
  expect(plain.status).toBe(EXIT.turnFailed);
  expect(plain.stderr).toContain("what it waits for cannot come");
  const json = spawnSync(process.execPath, [program, "--json"], { encoding: "utf8" });
  expect(JSON.parse(json.stdout)).toMatchObject({ error: { kind: "defect" } });
});
