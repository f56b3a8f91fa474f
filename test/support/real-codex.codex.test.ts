import { execFile } from "node:child_process";
import { promisify } from "node:util";

import { describe, expect, test } from "vitest";

import { realCodex } from "./real-codex.ts";
import { guardAgainstLeaks } from "./leak-guard.ts";

guardAgainstLeaks();

const run = promisify(execFile);

describe("the installed codex", () => {
  test("answers through the native binary and through the npm launcher alike", async () => {
    const { native, launcher } = realCodex();
    const said = { stdout: "codex-cli 0.169.0\n" };
    expect(await run(native, ["--version"])).toMatchObject(said);
    expect(await run(process.execPath, [launcher, "--version"])).toMatchObject(said);
  });
});
