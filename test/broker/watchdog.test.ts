import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { pause } from "../../src/base/deadline.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeTempDir, type TempDir } from "../support/temp-dir.ts";

guardAgainstLeaks();

const PROGRAM = fileURLToPath(new URL("../fixtures/broker/watched.mjs", import.meta.url));
const THREAD = fileURLToPath(new URL("../../dist/watchdog-thread.cjs", import.meta.url));
const TOKEN = "0".repeat(64);

async function watched(
  dir: TempDir,
  what: string,
  token = TOKEN,
): Promise<{ child: ChildProcess; file: string }> {
  const file = join(dir.path, "1.json");
  await writeFile(file, JSON.stringify({ state: "serving", token }));
  const child = spawn(process.execPath, [PROGRAM, THREAD, file, what], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  return { child, file };
}

async function exitOf(child: ChildProcess): Promise<unknown> {
  const [code, signal] = (await once(child, "exit")) as unknown[];
  return { code, signal };
}

async function readReason(file: string): Promise<unknown> {
  return (JSON.parse(await readFile(file, "utf8")) as { reason?: string }).reason;
}

test("F14: a process whose event loop hangs is ended, and its obituary says why", async () => {
  await using dir = await makeTempDir();
  const { child, file } = await watched(dir, "hang");
  expect(await exitOf(child)).toEqual({ code: null, signal: "SIGKILL" });
  expect(await readReason(file)).toMatch(/event loop hung/);
});

test("F14: a shutdown that does not come to an end is ended", async () => {
  await using dir = await makeTempDir();
  const { child, file } = await watched(dir, "end");
  expect(await exitOf(child)).toEqual({ code: null, signal: "SIGKILL" });
  expect(await readReason(file)).toMatch(/shutdown/);
});

test("F24: the obituary is not written over a file that is another's", async () => {
  await using dir = await makeTempDir();
  const { child, file } = await watched(dir, "hang", "f".repeat(64));
  expect(await exitOf(child)).toEqual({ code: null, signal: "SIGKILL" });
  expect(await readReason(file)).toBeUndefined();
});

test("a process that was suspended for longer than the limit is not taken for a stuck one", async () => {
  await using dir = await makeTempDir();
  const { child, file } = await watched(dir, "live");
  await once(child.stdout!, "data");
  child.kill("SIGSTOP");
  await pause(1_500);
  child.kill("SIGCONT");
  for (let answers = 0; answers < 3; answers += 1) await once(child.stdout!, "data");
  expect(child.exitCode).toBeNull();
  expect(await readReason(file)).toBeUndefined();
  child.kill("SIGKILL");
  await exitOf(child);
});
