import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const run = promisify(execFile);

test("src/app-server/generated is what the pinned codex generates (F71)", async () => {
  const check = run(process.execPath, ["scripts/generate.mjs", "--check"], { timeout: 60_000 });
  await expect(check).resolves.toMatchObject({ stderr: "" });
});
