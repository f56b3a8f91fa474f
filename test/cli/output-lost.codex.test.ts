import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeWorld, type World } from "../support/world.ts";
import { cli, CLI, lastJson, privateEnvironment, Program, type Ended } from "./program.ts";

guardAgainstLeaks();

/** Takes every write and fails it with ENOSPC, as a full disk does. */
const FULL = "/dev/full";

async function onFullDisk(world: World, args: readonly string[]): Promise<Ended> {
  const script = `exec "$0" "$@" > ${FULL}`;
  const command = ["-c", script, process.execPath, CLI, ...args];
  return await new Program("/bin/sh", command, privateEnvironment(world), world.workspace).ended;
}

describe.skipIf(!existsSync(FULL))("a result that cannot be written", () => {
  test.each([
    ["run", "--quiet", "say: fine"],
    ["run", "--json", "say: fine"],
    ["run", "say: fine"],
    ["status"],
    ["status", "--json"],
    ["ps"],
    ["jobs", "list", "--json"],
    ["call", "thread/loaded/list", "{}"],
    ["env"],
    ["completion", "bash"],
    ["--version"],
    ["run", "--help"],
  ])("is an error with a code of its own: %s %s %s (F142)", async (...args) => {
    await using world = await makeWorld();
    const { code, stderr } = await onFullDisk(world, args);
    expect(stderr).toContain("codex-broker: The result could not be written: ENOSPC");
    expect(stderr).not.toContain("should not have happened");
    expect(code).toBe(7);
  });

  test("is still there for a job, whose result can be had again (F142)", async () => {
    await using world = await makeWorld();
    const started = await cli(world, ["run", "--background", "--json", "say: kept"]);
    const job = String(lastJson(started.stdout)["job"]);
    expect(await cli(world, ["jobs", "wait", job])).toMatchObject({ code: 0, stdout: "kept\n" });
    expect((await onFullDisk(world, ["jobs", "result", job])).code).toBe(7);
    expect(await cli(world, ["jobs", "result", job])).toMatchObject({ code: 0, stdout: "kept\n" });
  });

  test("is no error where the reader has gone", async () => {
    await using world = await makeWorld();
    const script = `"$0" "$@" | head -n 1 > /dev/null; echo "\${PIPESTATUS[0]}"`;
    const command = ["-c", script, process.execPath, CLI, "run", "--help"];
    const { ended } = new Program("/bin/bash", command, privateEnvironment(world), world.workspace);
    expect(await ended).toMatchObject({ stdout: "0\n", stderr: "" });
  });
});
