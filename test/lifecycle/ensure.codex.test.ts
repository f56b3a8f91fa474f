import { existsSync, mkdirSync, readdirSync, rmSync, watch, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { epochPath, listEpochs } from "../../src/lifecycle/epoch-file.ts";
import { resolveScope } from "../../src/lifecycle/scope.ts";
import { eventually } from "../support/eventually.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { runNode } from "../support/node-process.ts";
import { livingBrokers } from "../support/stop-brokers.ts";
import { ON_WINDOWS } from "../support/wine.ts";
import { makeWorld, type World } from "../support/world.ts";

guardAgainstLeaks();

const ASK = fileURLToPath(new URL("../fixtures/ask.mjs", import.meta.url));

interface Answer {
  readonly instance?: string;
  readonly appServer?: number;
  readonly started?: boolean;
  readonly error?: { readonly kind: string };
}

async function askAtOnce(world: World, count: number): Promise<Answer[]> {
  const asking = Array.from({ length: count }, () => runNode([ASK, world.workspace], world.env));
  return (await Promise.all(asking)).map(({ stdout, stderr }) => {
    if (stdout === "") throw new Error(stderr);
    return JSON.parse(stdout) as Answer;
  });
}

/** What lies in the file system for connections; a pipe of Windows does not. */
function sockets(world: World): readonly string[] {
  return ON_WINDOWS ? [] : readdirSync(join(world.stateDir, "run"));
}

function scopeDirOf(world: World): string {
  return resolveScope({ cwd: world.workspace, env: world.env }).directory;
}

describe("however many ask at once", () => {
  test("F01: 50 processes get one broker and one app-server", { timeout: 120_000 }, async () => {
    await using world = await makeWorld();
    const answers = await askAtOnce(world, 50);
    expect(answers.filter(({ error }) => error !== undefined)).toEqual([]);
    expect(new Set(answers.map(({ instance }) => instance)).size).toBe(1);
    expect(new Set(answers.map(({ appServer }) => appServer)).size).toBe(1);
    expect(answers.filter(({ started }) => started === true)).toHaveLength(1);
    expect(livingBrokers(world.stateDir)).toHaveLength(1);
  });

  test(
    "F01 F10 S1: 20 processes past a killed broker get one successor",
    { timeout: 120_000 },
    async () => {
      await using world = await makeWorld();
      const first = await world.connect();
      const { pid } = await first.status();
      process.kill(pid, "SIGKILL");
      await first.closed;
      const answers = await askAtOnce(world, 20);
      expect(new Set(answers.map(({ instance }) => instance)).size).toBe(1);
      expect(answers[0]?.instance).not.toBe(first.instance);
      expect(livingBrokers(world.stateDir)).toHaveLength(1);
      const stays = ON_WINDOWS ? 0 : 2;
      await eventually(() => sockets(world).length === stays, "only its socket and link stay");
    },
  );

  // A script is no program on Windows.
  test.skipIf(ON_WINDOWS)(
    "all who wait for a start that fails are told why, and do not try it again in turn",
    async () => {
      await using world = await makeWorld({
        codex: fileURLToPath(new URL("../fixtures/no-codex.mjs", import.meta.url)),
      });
      const answers = await askAtOnce(world, 8);
      expect(new Set(answers.map(({ error }) => error?.kind))).toEqual(
        new Set(["appServerStartFailed"]),
      );
      expect(listEpochs(scopeDirOf(world)).length).toBeLessThan(4);
    },
  );
});

describe("an epoch file that is not what it should be", () => {
  const oddities: Record<string, string> = {
    empty: "",
    garbage: "\u0000\u0001 not a record",
    half: '{"state":"serv',
    "of another format": '{"version":99,"state":"serving"}',
    "of another epoch": JSON.stringify({ state: "claimed", epoch: 3, token: "0".repeat(64) }),
  };
  test("F22: one that is cleared away while its broker starts is claimed anew", async () => {
    await using world = await makeWorld();
    const scopeDir = scopeDirOf(world);
    mkdirSync(scopeDir, { recursive: true, mode: 0o700 });
    const watcher = watch(scopeDir, () => {
      if (!existsSync(epochPath(scopeDir, 1))) return;
      watcher.close();
      rmSync(epochPath(scopeDir, 1));
    });
    await using client = await world.connect();
    expect((await client.status()).state).toBe("serving");
    expect(livingBrokers(world.stateDir)).toHaveLength(1);
  });

  test.each(Object.entries(oddities))(
    "F56 S3: one that is %s is superseded once",
    async (_what, text) => {
      await using world = await makeWorld();
      const scopeDir = scopeDirOf(world);
      mkdirSync(scopeDir, { recursive: true, mode: 0o700 });
      writeFileSync(epochPath(scopeDir, 7), text);
      await using client = await world.connect();
      expect(client.epoch).toBe(8);
      await using again = await world.connect();
      expect(again.instance).toBe(client.instance);
    },
  );
});

describe("a broker whose ground goes away", () => {
  test("F24: steps down when a higher epoch appears, and touches nothing of its successor's", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    const { epoch } = client;
    writeFileSync(epochPath(scopeDirOf(world), epoch + 1), "{}");
    await eventually(
      () => client.epoch === epoch + 2,
      "the client goes on past the unreadable epoch",
    );
    await eventually(() => livingBrokers(world.stateDir).length === 1, "the first broker ends");
    await using next = await world.connect();
    expect(next.instance).toBe(client.instance);
  });

  test("F25: ends when the workspace is gone", async () => {
    await using world = await makeWorld();
    const client = await world.connect();
    rmSync(world.workspace, { recursive: true });
    expect((await client.closed).kind).toBe("connectionLost");
    await eventually(() => livingBrokers(world.stateDir).length === 0, "the broker ends");
  });

  test.skipIf(ON_WINDOWS)(
    "F08: ends when its socket is gone, and the next call gets a new one",
    async () => {
      await using world = await makeWorld();
      await using client = await world.connect();
      rmSync(client.record.endpoint);
      await using next = await world.connect();
      expect(next.epoch).toBe(2);
      await eventually(() => client.epoch === 2, "the client goes on with the successor");
      await eventually(() => livingBrokers(world.stateDir).length === 1, "the first broker ends");
    },
  );

  test("F21: ends by itself when it is idle, counted from the end of work", async () => {
    await using world = await makeWorld();
    const client = await world.connect({ limits: { idleTimeoutMs: 200 } });
    await client.runTurn({ prompt: "slow: 20x50ms tick" }).result;
    expect(livingBrokers(world.stateDir)).toHaveLength(1);
    client.close();
    await eventually(() => livingBrokers(world.stateDir).length === 0, "the broker ends");
    expect(sockets(world)).toEqual([]);
  });
});
