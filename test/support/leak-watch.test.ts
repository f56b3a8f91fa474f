import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

import { afterEach, describe, expect, test } from "vitest";

import { inheritanceFrom } from "../../src/lifecycle/environment.ts";
import { LeakWatch, MARK } from "./leak-watch.ts";
import { CAN_SEE_PROCESSES } from "./marked-processes.ts";
import { makeTempDir } from "./temp-dir.ts";

const IMPATIENT_MS = 300;
const LONG = ["-e", "setTimeout(() => {}, 60_000)"];

describe("leak watch", () => {
  const children: ChildProcess[] = [];
  const start = (options: { cwd?: string; env?: NodeJS.ProcessEnv }): ChildProcess => {
    const child = spawn(process.execPath, LONG, { stdio: "ignore", detached: true, ...options });
    children.push(child);
    return child;
  };
  afterEach(() => {
    for (const child of children.splice(0)) child.kill("SIGKILL");
  });

  test("marks brokers too: the rules for the environment pass its variable on (F128)", () => {
    expect(inheritanceFrom({ [MARK]: "x" }).broker).toEqual({ [MARK]: "x" });
  });

  test("says nothing when nothing is left", async () => {
    const watch = new LeakWatch(IMPATIENT_MS);
    await using dir = await makeTempDir();
    await dir.remove();
    expect(await watch.finish()).toEqual([]);
  });

  test("waits for a process that is just ending", async () => {
    const watch = new LeakWatch();
    spawn(process.execPath, ["-e", "setTimeout(() => {}, 300)"], { stdio: "ignore" });
    expect(await watch.finish()).toEqual([]);
  });

  test("names a directory that is left", async () => {
    const watch = new LeakWatch(IMPATIENT_MS);
    await using dir = await makeTempDir();
    expect(await watch.finish()).toEqual([`${dir.path} still exists`]);
  });

  test.runIf(CAN_SEE_PROCESSES)("names a detached process, and ends it", async () => {
    const watch = new LeakWatch(IMPATIENT_MS);
    const child = start({});
    const exit = once(child, "exit");
    expect(await watch.finish()).toEqual([
      `process ${child.pid ?? 0} is still alive: ${[process.execPath, ...LONG].join(" ")}`,
    ]);
    expect(await exit).toEqual([null, "SIGKILL"]);
  });

  test.runIf(CAN_SEE_PROCESSES)(
    "finds a process with a cleaned environment by its directory",
    async () => {
      const watch = new LeakWatch(IMPATIENT_MS);
      const dir = await makeTempDir();
      const child = start({ cwd: dir.path, env: {} });
      await once(child, "spawn");
      await dir.remove();
      const [leak] = await watch.finish();
      expect(leak).toContain(`process ${child.pid ?? 0} is still alive`);
    },
  );

  test.runIf(process.platform === "win32")(
    "F20: sees an orphan on Windows, and ends it",
    async () => {
      const watch = new LeakWatch(IMPATIENT_MS);
      const starter = `
      const { spawn } = require("node:child_process");
      const orphan = spawn(process.execPath, ${JSON.stringify(LONG)}, { stdio: "ignore", detached: true });
      orphan.once("spawn", () => { console.log(orphan.pid); process.exit(0); });
    `;
      const between = spawn(process.execPath, ["-e", starter], {
        stdio: ["ignore", "pipe", "ignore"],
      });
      const [text] = (await once(between.stdout, "data")) as [Buffer];
      await once(between, "close");
      const pid = Number(String(text));
      const leaks = await watch.finish();
      expect(leaks.some((leak) => leak.startsWith(`process ${pid} is still alive`))).toBe(true);
      const again = new LeakWatch(IMPATIENT_MS);
      expect(await again.finish()).toEqual([]);
    },
  );

  test.runIf(CAN_SEE_PROCESSES)("leaves alone what was there before", async () => {
    start({});
    const watch = new LeakWatch(IMPATIENT_MS);
    expect(await watch.finish()).toEqual([]);
  });
});
