import { spawn } from "node:child_process";
import { once } from "node:events";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { lockHolder } from "../../src/os/lock-holder.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeTempDir } from "../support/temp-dir.ts";

guardAgainstLeaks();

describe.skipIf(process.platform !== "linux")("F40: who holds the lock on a file", () => {
  test("is the process that took it, and nobody before and after", async () => {
    await using dir = await makeTempDir();
    const path = join(dir.path, "a.lock");
    expect(await lockHolder(path)).toBeUndefined();
    await writeFile(path, "");
    expect(await lockHolder(path)).toBeUndefined();
    // `--no-fork`: what was locked is held by the program itself.
    const holder = spawn("flock", ["--no-fork", path, "sh", "-c", "echo locked; read -r line"], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    await once(holder.stdout, "data");
    expect(await lockHolder(path)).toEqual({
      pid: holder.pid,
      program: "sh",
      parentPid: process.pid,
    });
    // One that only waits for it holds nothing.
    const waiting = spawn("flock", ["--no-fork", path, "true"], { stdio: "ignore" });
    await writeFile(join(dir.path, "b.lock"), "");
    expect(await lockHolder(join(dir.path, "b.lock"))).toBeUndefined();
    expect((await lockHolder(path))?.pid).toBe(holder.pid);
    holder.stdin.end("\n");
    await once(waiting, "exit");
    expect(await lockHolder(path)).toBeUndefined();
    await rm(path);
    expect(await lockHolder(path)).toBeUndefined();
  });
});
