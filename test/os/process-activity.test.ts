import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { ActivityWatch } from "../../src/os/process-activity.ts";
import { readStat } from "../../src/os/proc-stat.ts";
import { eventually } from "../support/eventually.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { startStranger } from "../support/stranger.ts";

guardAgainstLeaks();

describe.skipIf(process.platform !== "linux")("a process is at work (F124)", () => {
  test("when it runs, or waits for a processor, at the first look already", async () => {
    const script = 'process.stdout.write("."); for (;;);';
    const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "ignore"] });
    await once(child.stdout, "data");
    await eventually(() => readStat(child.pid!)?.state === "R", "it runs");
    expect(new ActivityWatch(child.pid!).isAtWork()).toBe(true);
    child.kill("SIGKILL");
    await once(child, "exit");
  });

  test("when it has used a processor since the last look, though it sleeps now", async () => {
    const watch = new ActivityWatch(process.pid);
    watch.isAtWork();
    const before = readStat(process.pid)?.cpuTicks;
    await eventually(() => readStat(process.pid)?.cpuTicks !== before, "a tick of work has passed");
    expect(watch.isAtWork()).toBe(true);
  });

  test("not when it sleeps, and not when there is none", async () => {
    const stranger = await startStranger();
    await eventually(() => readStat(stranger.pid)?.state === "S", "it has started and sleeps");
    const watch = new ActivityWatch(stranger.pid);
    await eventually(() => !watch.isAtWork(), "it has nothing to do");
    await stranger.end();
    expect(watch.isAtWork()).toBe(false);
  });
});
