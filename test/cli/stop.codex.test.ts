import { expect, test, vi } from "vitest";
import { monotonicMs } from "../../src/base/deadline.ts";
import { eventually } from "../support/eventually.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { livingBrokers } from "../support/stop-brokers.ts";
import { makeWorld } from "../support/world.ts";
import { cli, lastJson, startCli } from "./program.ts";

guardAgainstLeaks();
// Many whole programs in a row, on a machine that may be doing other things as well.
vi.setConfig({ testTimeout: 120_000 });
const SOON_MS = 60_000;

test("F30: --all ends every broker of every scope, one that drains already too, and says so in a line each", async () => {
  await using world = await makeWorld();
  await cli(world, ["ensure", "--label", "other"]);
  const run = startCli(world, ["run", "-q", "hold: gate ;; say: finished"]);
  await eventually(() => world.model.requests.inFlight === 1, "the model is asked", SOON_MS);
  await cli(world, ["rotate"]);
  expect(livingBrokers(world.stateDir)).toHaveLength(3);
  const stop = startCli(world, ["stop", "--all"], { cwd: "/" });
  await stop.shows(/epoch 1 of .* waits for 1 running turn .*stop --all --force/);
  world.model.release("gate");
  const { code, stdout } = await stop.ended;
  expect(code).toBe(0);
  expect(stdout).toMatch(/^(○ stopped {2}\S+ {2}epoch \d · process \d+ · took .*\n){3}$/);
  expect(livingBrokers(world.stateDir)).toEqual([]);
  expect(await run.ended).toMatchObject({ code: 0, stdout: "finished\n" });
  const again = await cli(world, ["stop", "--all", "--json"]);
  expect(again.code).toBe(0);
  expect(lastJson(again.stdout)).toEqual({
    state: "absent",
    stateDir: world.stateDir,
    brokers: [],
  });
});

test("F30: without --all it ends the older epochs of its workspace as well, and nobody else's", async () => {
  await using world = await makeWorld();
  await cli(world, ["ensure", "--label", "other"]);
  const run = startCli(world, ["run", "-q", "silence"]);
  await eventually(() => world.model.requests.inFlight === 1, "the model is asked", SOON_MS);
  await cli(world, ["rotate"]);
  const { code, stdout } = await cli(world, ["stop", "--force", "--json"]);
  expect(code).toBe(0);
  expect(lastJson(stdout)).toMatchObject({
    state: "stopped",
    epoch: 2,
    turns: 0,
    older: [{ state: "stopped", epoch: 1, turns: 1 }],
  });
  expect((await run.ended).code).toBe(130);
  expect(livingBrokers(world.stateDir)).toHaveLength(1);
});

// Windows has nothing that stops a process.
test.skipIf(process.platform === "win32")(
  "F13: who takes leave does not wait for a broker that hangs: it is named, with what to do",
  async () => {
    await using world = await makeWorld();
    await cli(world, ["ensure"]);
    const { pid } = livingBrokers(world.stateDir)[0]!.broker;
    await cli(world, ["ensure", "--label", "other"]);
    process.kill(pid, "SIGSTOP");
    const began = monotonicMs();
    const all = startCli(world, ["stop", "--all", "--timeout", "600"]);
    const one = await cli(world, ["stop", "--json", "--timeout", "600"]);
    const { code, stdout } = await all.ended;
    expect(monotonicMs() - began).toBeLessThan(100_000);
    expect(code).toBe(5);
    expect(stdout).toMatch(/○ stopped .*\n/);
    expect(stdout).toMatch(
      new RegExp(`✗ silent .*process ${pid} · does not answer {2}→ codex-broker doctor --fix\n`),
    );
    expect(one.code).toBe(5);
    expect(one.stderr).toContain("  → Run `codex-broker doctor --fix`");
    expect(lastJson(one.stdout)).toMatchObject({
      error: { kind: "requestTimedOut", details: { pid, brokers: [{ state: "silent" }] } },
    });
  },
);

test("F27: many who stop it at the same instant, while others are connected, do not wait for each other", async () => {
  await using world = await makeWorld();
  await using client = await world.connect();
  const ends = await Promise.all(
    Array.from({ length: 4 }, async (_, index) =>
      cli(world, ["stop", "--json", ...(index % 2 === 0 ? ["--all"] : [])]),
    ),
  );
  for (const { code, stderr } of ends) expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(livingBrokers(world.stateDir)).toEqual([]);
  await expect(client.status()).rejects.toThrow();
});

test("F27: two who leave together leave no broker behind", async () => {
  await using world = await makeWorld();
  const limits = { idleTimeoutMs: 100 };
  const clients = await Promise.all([world.connect({ limits }), world.connect({ limits })]);
  for (const client of clients) client.close();
  await eventually(() => livingBrokers(world.stateDir).length === 0, "the broker ends", SOON_MS);
});

test("F14: a drain past its limit interrupts the turns, and the broker ends", async () => {
  await using world = await makeWorld();
  await using client = await world.connect({ limits: { drainTimeoutMs: 300 } });
  const turn = client.runTurn({ prompt: "silence" });
  await eventually(() => world.model.requests.inFlight === 1, "the model is asked", SOON_MS);
  const { code, stderr } = await cli(world, ["stop"]);
  expect(code).toBe(0);
  expect(stderr).toContain("waits for 1 running turn");
  expect((await turn.result).status).toBe("interrupted");
  expect(livingBrokers(world.stateDir)).toEqual([]);
});

test("--all with a workspace is a usage error", async () => {
  await using world = await makeWorld();
  const { code, stderr } = await cli(world, ["stop", "--all", "--label", "x"]);
  expect(code).toBe(2);
  expect(stderr).toContain("--label says nothing");
});
