import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import type { BrokerClient } from "../../src/index.ts";
import { monotonicMs } from "../../src/base/deadline.ts";
import { askOnce } from "../../src/lifecycle/departed.ts";
import {
  epochPath,
  listEpochs,
  publishEpoch,
  readEpoch,
  type ServingRecord,
} from "../../src/lifecycle/epoch-file.ts";
import { resolveScope } from "../../src/lifecycle/scope.ts";
import { identityOf, livenessOf } from "../../src/os/process-identity.ts";
import { eventually } from "../support/eventually.ts";
import { makeFakeCodex } from "../support/fake-codex.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { livingBrokers } from "../support/stop-brokers.ts";
import { startStranger } from "../support/stranger.ts";
import { makeTempDir } from "../support/temp-dir.ts";
import { ON_WINDOWS } from "../support/wine.ts";
import { makeWorld, type World } from "../support/world.ts";
import { servingRecord } from "./records.ts";

guardAgainstLeaks();

function scopeDirOf(world: World): string {
  return resolveScope({ cwd: world.workspace, env: world.env }).directory;
}

function recordOf(world: World, epoch: number): ServingRecord {
  const reading = readEpoch(scopeDirOf(world), epoch);
  if (reading?.state !== "read" || reading.record.state !== "serving") throw new Error("none");
  return reading.record;
}

type Outcome = { readonly client: BrokerClient } | { readonly kind: string };

async function outcomeOf(asking: Promise<BrokerClient>): Promise<Outcome> {
  return await asking.then(
    (client) => ({ client }),
    ({ kind }: { kind: string }) => ({ kind }),
  );
}

describe("a broker that has as many sessions as it may have", () => {
  test(
    "rejects more clients, and is neither superseded nor killed for it (F118)",
    { timeout: 60_000 },
    async () => {
      await using world = await makeWorld();
      const first = await world.connect({ limits: { maxSessions: 3 } });
      const others = await Promise.all([1, 2, 3, 4].map(() => outcomeOf(world.connect())));
      const served = [first, ...others.flatMap((each) => ("client" in each ? [each.client] : []))];
      const rejected = others.flatMap((each) => ("kind" in each ? [each.kind] : []));
      expect(served).toHaveLength(3);
      expect(rejected).toEqual(["tooManySessions", "tooManySessions"]);
      expect(new Set(served.map(({ epoch }) => epoch))).toEqual(new Set([1]));
      expect(listEpochs(scopeDirOf(world))).toEqual([1]);
      const { message } = await first.runTurn({ prompt: "say: still here" }).result;
      expect(message).toBe("still here");
      served[1]?.close();
      await eventually(async () => {
        const next = await outcomeOf(world.connect());
        if ("client" in next) served.push(next.client);
        return "client" in next;
      }, "a place that becomes free is given to the next client");
      expect(listEpochs(scopeDirOf(world))).toEqual([1]);
      for (const client of served) client.close();
    },
  );

  test("answers its successor, so that it is not taken for silent (F118)", async () => {
    await using world = await makeWorld();
    const client = await world.connect({ limits: { maxSessions: 1 } });
    expect(await askOnce(recordOf(world, 1))).toBe("runs");
    client.close();
  });
});

/** Listens where a record says that its broker does. */
async function listenAt(endpoint: string, onSocket: (socket: Socket) => void): Promise<Server> {
  const server = createServer(onSocket).listen(endpoint);
  await once(server, "listening");
  return server;
}

// Only here the kernel tells what a process has bound.
describe.skipIf(process.platform !== "linux")("what a successor may conclude", () => {
  test("from a listener that accepts and closes is that its broker runs (F123)", async () => {
    await using dir = await makeTempDir();
    const endpoint = join(dir.path, "s.sock");
    const server = await listenAt(endpoint, (socket) => socket.destroy());
    expect(await askOnce(servingRecord({ endpoint }))).toBe("runs");
    server.close();
  });

  test(
    "from a broker that is out of descriptors is that it runs (F123)",
    { timeout: 60_000 },
    async () => {
      await using world = await makeWorld();
      const ask = fileURLToPath(new URL("../fixtures/ask.mjs", import.meta.url));
      const args = [process.execPath, ask, world.workspace];
      const child = spawn("sh", ["-c", `ulimit -n 64; exec "$0" "$@"`, ...args], {
        env: world.env,
        stdio: ["ignore", "pipe", "inherit"],
      });
      expect(JSON.parse(await text(child.stdout))).toMatchObject({ started: true });
      const record = recordOf(world, 1);
      const sockets: Socket[] = [];
      let closed = 0;
      for (let n = 0; n < 80; n += 1) {
        const socket = connect(record.endpoint);
        socket.on("error", () => {});
        socket.once("close", () => (closed += 1));
        socket.resume();
        sockets.push(socket);
      }
      await eventually(() => closed > 0, "the broker closes what it cannot take");
      expect(await askOnce(record)).toBe("runs");
      expect(livenessOf(record.broker)).toBe("alive");
      for (const socket of sockets) socket.destroy();
      await eventually(async () => {
        const next = await outcomeOf(world.connect());
        if ("client" in next) next.client.close();
        return "client" in next && next.client.epoch === 1;
      }, "the same broker serves again");
    },
  );

  test("from a listener that does not answer is silence", async () => {
    await using dir = await makeTempDir();
    const endpoint = join(dir.path, "s.sock");
    const sockets: Socket[] = [];
    const server = await listenAt(endpoint, (socket) => void sockets.push(socket));
    expect(await askOnce(servingRecord({ endpoint }))).toBe("silent");
    for (const socket of sockets) socket.destroy();
    server.close();
  });

  test("from a socket that somebody has removed is nothing, as long as the kernel knows a listener of that name", async () => {
    await using dir = await makeTempDir();
    const endpoint = join(dir.path, "s.sock");
    const record = servingRecord({ endpoint });
    const server = await listenAt(endpoint, (socket) => socket.destroy());
    rmSync(endpoint);
    expect(await askOnce(record)).toBe("unknown");
    server.close();
    await once(server, "close");
    expect(await askOnce(record)).toBe("silent");
  });

  test("from any contact with a broker of another host is nothing (F126)", async () => {
    await using dir = await makeTempDir();
    const elsewhere = { ...identityOf(process.pid), hostId: "elsewhere", bootId: "another" };
    const endpoint = join(dir.path, "s.sock");
    expect(await askOnce(servingRecord({ endpoint, broker: elsewhere }))).toBe("unknown");
  });
});

describe("a record of another host", () => {
  test("F91 F95: is not superseded because its socket refuses, and the caller gets an error that says what to do (F126)", async () => {
    await using world = await makeWorld();
    const stranger = await startStranger();
    const scopeDir = scopeDirOf(world);
    mkdirSync(scopeDir, { recursive: true, mode: 0o700 });
    const elsewhere = {
      ...identityOf(stranger.pid),
      startTime: "1",
      hostId: "elsewhere",
      bootId: "another",
    };
    const record = servingRecord({
      epoch: 1,
      claimant: elsewhere,
      broker: elsewhere,
      endpoint: join(world.stateDir, "run", "nobody.1.iiiiii.sock"),
      current: null,
      workspace: world.workspace,
    });
    publishEpoch(scopeDir, record);
    for (let n = 0; n < 2; n += 1) {
      await expect(world.connect()).rejects.toMatchObject({
        kind: "foreignBroker",
        message: expect.stringContaining("another host") as string,
        hint: expect.stringContaining("codex-broker") as string,
      });
    }
    expect(listEpochs(scopeDir)).toEqual([1]);
    expect(readFileSync(epochPath(scopeDir, 1), "utf8")).toContain('"serving"');
    expect(stranger.alive()).toBe(true);
    await stranger.end();
    // Else the cleaning up after this test waits for that host.
    writeFileSync(epochPath(scopeDir, 1), "{}");
  });
});

describe.skipIf(ON_WINDOWS)("a client without descriptors", () => {
  test(
    "gets an error of its own, and supersedes nobody, whichever descriptor was the last (F133)",
    { timeout: 120_000 },
    async () => {
      await using world = await makeWorld();
      await using _client = await world.connect();
      const script = fileURLToPath(
        new URL("../fixtures/lifecycle/ask-without-descriptors.mjs", import.meta.url),
      );
      const args = [process.execPath, script, world.workspace];
      const child = spawn("sh", ["-c", `ulimit -n 100; exec "$0" "$@"`, ...args], {
        env: world.env,
        stdio: ["ignore", "pipe", "inherit"],
      });
      const endings = JSON.parse(await text(child.stdout)) as Array<{ kind: string }>;
      expect(endings.length).toBeGreaterThan(1);
      for (const { kind } of endings.slice(0, -1)) {
        expect(["stateDirUnusable", "brokerUnavailable", "codexUnusable"]).toContain(kind);
      }
      expect(endings.at(-1)).toEqual({ epoch: 1 });
      expect(listEpochs(scopeDirOf(world))).toEqual([1]);
      expect(livenessOf(recordOf(world, 1).broker)).toBe("alive");
    },
  );
});

describe("replacements", () => {
  test("on request count once: many at the same time get one new broker (F124)", async () => {
    await using world = await makeWorld();
    await using first = await world.connect();
    const rotated = await Promise.all(
      Array.from({ length: 14 }, () => world.connect({ replace: true })),
    );
    expect(new Set(rotated.map(({ epoch }) => epoch))).toEqual(new Set([2]));
    expect(rotated.filter(({ started }) => started)).toHaveLength(1);
    for (const client of rotated) client.close();
    expect(listEpochs(scopeDirOf(world))).toEqual([2, 1]);
    await eventually(() => first.epoch === 2, "the client of the first broker moves");
    await using later = await world.connect({ replace: true });
    expect(later.epoch).toBe(3);
  });

  test(
    "in a row come to a pause, with an error that names the reasons, and who is connected stays so (F124)",
    { timeout: 240_000 },
    async () => {
      await using world = await makeWorld();
      const startedAt = monotonicMs();
      let last: BrokerClient | undefined;
      let failure: unknown;
      // Two hosts that disagree about the configuration look like this to each other.
      for (let n = 0; n < 40 && failure === undefined; n += 1) {
        appendFileSync(world.home.configFile, `\n[unused.edit${n}]\n`);
        try {
          const next = await world.connect();
          last?.close();
          last = next;
        } catch (error) {
          failure = error;
        }
      }
      const tookMs = monotonicMs() - startedAt;
      expect(failure).toMatchObject({
        kind: "replacementLoop",
        retryable: true,
        message: expect.stringContaining("config.toml has changed") as string,
      });
      // Ten within a minute, and a few more where the machine is so slow that the minute passes.
      expect(listEpochs(scopeDirOf(world)).length).toBeLessThan(12 + tookMs / 6_000);
      expect(livingBrokers(world.stateDir).length).toBeGreaterThan(0);
      last?.close();
    },
  );
});

describe("the guard against crash loops", () => {
  const failsAlways = { exitAtStart: { code: 7, stderr: "no good\n" } };

  async function crashFiveTimes(world: World): Promise<void> {
    for (let i = 0; i < 5; i += 1) {
      await expect(world.connect()).rejects.toMatchObject({ kind: "appServerStartFailed" });
    }
    await expect(world.connect()).rejects.toMatchObject({ kind: "crashLoop" });
  }

  test("is passed by a request for a new broker (F135)", async () => {
    await using fake = await makeFakeCodex(failsAlways);
    await using world = await makeWorld({ codex: fake.command, env: fake.env });
    await crashFiveTimes(world);
    await expect(world.connect({ replace: true })).rejects.toMatchObject({
      kind: "appServerStartFailed",
    });
    await expect(world.connect()).rejects.toMatchObject({ kind: "crashLoop" });
  });

  test("begins anew when the configuration has changed (F135)", async () => {
    await using fake = await makeFakeCodex(failsAlways);
    await using world = await makeWorld({ codex: fake.command, env: fake.env });
    await crashFiveTimes(world);
    appendFileSync(world.home.configFile, "\n[unused]\nmended = true\n");
    await expect(world.connect()).rejects.toMatchObject({ kind: "appServerStartFailed" });
  });

  test.skipIf(ON_WINDOWS)(
    "does not count app-servers that a person has killed (F135)",
    async () => {
      await using world = await makeWorld();
      for (let epoch = 1; epoch <= 7; epoch += 1) {
        const client = await world.connect();
        client.close();
        expect(client.epoch).toBe(epoch);
        const { appServer } = recordOf(world, epoch);
        process.kill(appServer?.pid ?? 0, "SIGKILL");
        await eventually(() => {
          const reading = readEpoch(scopeDirOf(world), epoch);
          return reading?.state === "read" && reading.record.state === "ended";
        }, "its broker has ended");
        const reading = readEpoch(scopeDirOf(world), epoch);
        expect(reading).toMatchObject({ record: { abnormal: true, exit: { signal: "SIGKILL" } } });
      }
    },
  );
});
