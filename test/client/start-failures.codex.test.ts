import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { makeFakeCodex, type FakeBehaviour } from "../support/fake-codex.ts";
import { at } from "../support/json.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { livingBrokers } from "../support/stop-brokers.ts";
import { makeWorld, type World } from "../support/world.ts";

guardAgainstLeaks();

async function worldWithFake(...behaviours: FakeBehaviour[]): Promise<World> {
  const fake = await makeFakeCodex(...behaviours);
  const world = await makeWorld({ codex: fake.command, env: fake.env });
  return {
    ...world,
    async [Symbol.asyncDispose]() {
      await world[Symbol.asyncDispose]();
      await fake.remove();
    },
  };
}

describe("a broker that cannot be had", () => {
  test("F75: no codex under the name that was given", async () => {
    await using world = await makeWorld({ codex: "/nowhere/codex" });
    await expect(world.connect()).rejects.toMatchObject({ kind: "codexNotFound" });
  });

  test("F53 F59 F86: an app-server that ends at its start is told with binary, exit and last words", async () => {
    await using world = await worldWithFake({
      exitAtStart: { code: 7, stderr: "the reason is this\n" },
    });
    const failure = world.connect();
    await expect(failure).rejects.toMatchObject({
      kind: "appServerStartFailed",
      details: {
        code: 7,
        signal: null,
        stderrTail: expect.stringContaining("the reason is this") as string,
      },
    });
    expect(livingBrokers(world.stateDir)).toEqual([]);
  });

  test("F52: one that a signal ended is not taken for a success", async () => {
    await using world = await worldWithFake({ exitAtStart: { signal: "SIGSEGV", stderr: "" } });
    await expect(world.connect()).rejects.toMatchObject({
      kind: "appServerStartFailed",
      details: { code: null, signal: "SIGSEGV" },
    });
  });

  test("F81: a start that fails on a locked state database is tried again", async () => {
    const locked = {
      exitAtStart: {
        code: 1,
        stderr: "Error: failed to initialize sqlite state runtime: database is locked\n",
      },
    };
    await using world = await worldWithFake(locked, locked, {});
    await using client = await world.connect();
    expect((await client.status()).appServer.version).toBe("0.169.0");
  });

  test("F68: a codex that is too old is refused with its version", async () => {
    await using world = await worldWithFake({ version: "0.98.0" });
    await expect(world.connect()).rejects.toMatchObject({ kind: "codexTooOld" });
  });

  test(
    "F51: a codex that never answers is given up at the deadline, and later it is gone",
    { timeout: 60_000 },
    async () => {
      await using world = await worldWithFake({ mute: ["initialize"] });
      await expect(world.connect({ startTimeoutMs: 1_500 })).rejects.toMatchObject({
        kind: expect.stringMatching(/requestTimedOut|brokerUnavailable/) as string,
      });
    },
  );

  test("CODEX_HOME that does not exist", async () => {
    await using world = await makeWorld({ env: { CODEX_HOME: "/nowhere/home" } });
    await expect(world.connect()).rejects.toMatchObject({ kind: "codexHomeMissing" });
  });

  test("a workspace that does not exist", async () => {
    await using world = await makeWorld();
    await expect(world.connect({ cwd: join(world.workspace, "none") })).rejects.toMatchObject({
      kind: "workspaceInvalid",
    });
  });

  test("a broken config.toml fails the turn with its cause, and mending it heals the same broker", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    writeFileSync(world.home.configFile, "this is = = not toml");
    await expect(client.runTurn({ prompt: "say: hi" }).result).rejects.toMatchObject({
      kind: "codexConfigInvalid",
    });
    await world.home.configure({ modelUrl: world.model.url, trusted: [world.workspace] });
    expect(await client.runTurn({ prompt: "say: hi" }).result).toMatchObject({
      status: "completed",
    });
  });
});

describe("F74: what Codex says in other words than it does today", () => {
  test.each([
    ["a locked state database", { code: 1, stderr: "Error: der Zustand ist belegt\n" }],
    ["a panic in a sandbox", { code: 101, stderr: "Error: no system configuration here\n" }],
    ["a home that is missing", { code: 1, stderr: "Error: no such home\n" }],
    ["a codex without an app-server", { code: 2, stderr: "error: what is app-server?\n" }],
  ])("%s: one start, the general error, and Codex's words with it", async (_what, exitAtStart) => {
    await using fake = await makeFakeCodex({ exitAtStart }, {});
    await using world = await makeWorld({ codex: fake.command, env: fake.env });
    const words = exitAtStart.stderr.trim();
    await expect(world.connect()).rejects.toMatchObject({
      kind: "appServerStartFailed",
      retryable: true,
      message: expect.stringContaining(words),
      details: { code: exitAtStart.code, stderrTail: expect.stringContaining(words) },
    });
    expect(new Set((await fake.notes()).map(({ start }) => start)).size).toBe(1);
    expect(livingBrokers(world.stateDir)).toEqual([]);
    // Whoever asks again is not held back.
    await using client = await world.connect();
    expect((await client.status()).state).toBe("serving");
  });

  test("a thread that is in use elsewhere, and a broken configuration: Codex's own error, at once and unaltered", async () => {
    const error = { code: -32_600, message: "somebody else writes there" };
    await using fake = await makeFakeCodex({
      answers: { "thread/resume": { error }, "thread/start": { error } },
    });
    await using world = await makeWorld({ codex: fake.command, env: fake.env });
    await using client = await world.connect();
    const threadId = "01a204c0-5eb8-71e0-9e0e-52688c282efb";
    for (const asked of [
      client.request("thread/resume", { threadId }),
      client.runTurn({ prompt: "say: hi" }).result,
    ]) {
      await expect(asked).rejects.toMatchObject({ name: "RpcError", ...error });
    }
    const resumed = (await fake.received()).filter(
      (message) => at(message, "method") === "thread/resume",
    );
    expect(resumed).toHaveLength(1);
  });
});

describe("a state directory that cannot be trusted", () => {
  test("F91: one that others may write to", async () => {
    await using world = await makeWorld();
    mkdirSync(world.stateDir);
    chmodSync(world.stateDir, 0o777);
    await expect(world.connect()).rejects.toMatchObject({
      kind: "stateDirUnsafe",
      hint: `Run \`chmod 700 ${world.stateDir}\`.`,
    });
  });

  test("F91: one behind a symbolic link", async () => {
    await using world = await makeWorld();
    const elsewhere = join(world.workspace, "elsewhere");
    mkdirSync(elsewhere, { mode: 0o700 });
    symlinkSync(elsewhere, world.stateDir);
    await expect(world.connect()).rejects.toMatchObject({ kind: "stateDirUnsafe" });
  });

  test("F09: one too long for a socket falls back to a shorter private directory", async () => {
    await using world = await makeWorld();
    const long = join(world.stateDir, "d".repeat(90));
    await using client = await world.connect({
      env: { ...world.env, CODEX_BROKER_STATE_DIR: long },
    });
    expect(Buffer.byteLength(client.record.endpoint)).toBeLessThanOrEqual(100);
    expect((await client.status()).stateDir).toBe(long);
    await client.request("broker/stop", { force: true });
    await client.closed;
  });
});
