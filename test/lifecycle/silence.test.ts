import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import { monotonicMs, pause } from "../../src/base/deadline.ts";
import { Silence } from "../../src/lifecycle/silence.ts";
import { readStat } from "../../src/os/proc-stat.ts";
import { identityOf } from "../../src/os/process-identity.ts";
import { eventually } from "../support/eventually.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";

guardAgainstLeaks();

async function start(script: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, ["-e", `process.stdout.write("."); ${script}`], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  await once(child.stdout, "data");
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  child.kill("SIGKILL");
  await once(child, "exit");
}

async function observe(silence: Silence, forMs: number): Promise<void> {
  for (const until = monotonicMs() + forMs; monotonicMs() < until; await pause(50)) {
    silence.observe();
  }
  silence.observe();
}

const ON_LINUX = process.platform === "linux";

test.skipIf(!ON_LINUX)(
  "the process of a silent broker that runs, or waits for a processor, is not idle (F124)",
  async () => {
    const child = await start("for (;;);");
    const silence = new Silence(identityOf(child.pid!));
    await observe(silence, 1_000);
    expect(silence.forMs).toBeGreaterThanOrEqual(1_000);
    expect(silence.idleMs).toBeLessThan(silence.forMs / 2);
    await end(child);
  },
);

test.skipIf(!ON_LINUX)(
  "one that is stopped is idle, however much it had to do before (F124)",
  async () => {
    const child = await start("for (;;);");
    child.kill("SIGSTOP");
    await eventually(() => readStat(child.pid!)?.state === "T", "it is stopped");
    const silence = new Silence(identityOf(child.pid!));
    silence.observe();
    await observe(silence, 500);
    expect(silence.idleMs).toBeGreaterThanOrEqual(450);
    await end(child);
  },
);

test.skipIf(!ON_LINUX)(
  "one that has its pid and is another process does not count as at work (F124)",
  async () => {
    const child = await start("for (;;);");
    const identity = { ...identityOf(child.pid!), startTime: "1" };
    const silence = new Silence(identity);
    await observe(silence, 300);
    expect(silence.idleMs).toBeGreaterThanOrEqual(300);
    await end(child);
  },
);

test("silence that began before it was first noticed counts from its beginning", () => {
  const silence = new Silence(identityOf(process.pid), monotonicMs() - 5_000);
  expect(silence.forMs).toBeGreaterThanOrEqual(5_000);
  expect(silence.idleMs).toBeGreaterThanOrEqual(5_000);
});
