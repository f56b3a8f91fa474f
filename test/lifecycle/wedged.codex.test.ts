import { describe, expect, test } from "vitest";
import { monotonicMs } from "../../src/base/deadline.ts";
import { listEpochs, readEpoch } from "../../src/lifecycle/epoch-file.ts";
import { resolveScope } from "../../src/lifecycle/scope.ts";
import { readStat } from "../../src/os/proc-stat.ts";
import { eventually } from "../support/eventually.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { livingBrokers } from "../support/stop-brokers.ts";
import { makeWorld, type World } from "../support/world.ts";

guardAgainstLeaks();

const SERVED_WITHIN_MS = 15_000;
const GONE_WITHIN_MS = 90_000;

async function timed<T>(work: Promise<T>): Promise<{ value: T; ms: number }> {
  const at = monotonicMs();
  const value = await work;
  return { value, ms: monotonicMs() - at };
}

const gone = (pid: number) => (): boolean => ["Z", undefined].includes(readStat(pid)?.state);

async function pidsOf(world: World): Promise<{ broker: number; appServer: number }> {
  const client = await world.connect();
  const status = await client.status();
  client.close();
  return { broker: status.pid, appServer: status.appServer.pid ?? 0 };
}

describe("something of a broker is stopped", () => {
  test(
    "F11 F12 F17 S7: the broker: whoever asks is served by another, and the stopped one is ended by proof before it is written off",
    { timeout: SERVED_WITHIN_MS + GONE_WITHIN_MS },
    async () => {
      await using world = await makeWorld();
      const pids = await pidsOf(world);
      process.kill(pids.broker, "SIGSTOP");
      const { value: client, ms } = await timed(world.connect());
      expect(ms).toBeLessThan(SERVED_WITHIN_MS);
      expect(client.epoch).toBe(2);
      const { directory } = resolveScope({ cwd: world.workspace, env: world.env });
      expect(livingBrokers(world.stateDir)).toHaveLength(2);
      const isWrittenOff = (): boolean => {
        const reading = readEpoch(directory, 1);
        return reading?.state === "read" && reading.record.state === "ended";
      };
      let tooEarly = false;
      const isGone = (): boolean => {
        const writtenOff = isWrittenOff();
        const ended = gone(pids.broker)();
        tooEarly ||= writtenOff && !ended;
        return ended;
      };
      await eventually(isGone, "the stopped broker is ended", GONE_WITHIN_MS);
      await eventually(gone(pids.appServer), "and so is its app-server");
      await eventually(isWrittenOff, "its obituary is written");
      expect(tooEarly).toBe(false);
      expect(listEpochs(directory)).toEqual([2, 1]);
      client.close();
    },
  );

  test(
    "F11 F12 S7: the app-server: whoever asks is served by another, and the stopped one is ended",
    { timeout: SERVED_WITHIN_MS + GONE_WITHIN_MS },
    async () => {
      await using world = await makeWorld();
      const pids = await pidsOf(world);
      process.kill(pids.appServer, "SIGSTOP");
      // An answer that came just before still counts as health.
      const { value: client, ms } = await timed(world.connect());
      client.close();
      await eventually(
        async () => {
          const next = await world.connect();
          next.close();
          return next.epoch === 2;
        },
        "another epoch serves",
        SERVED_WITHIN_MS + 5_000,
      );
      expect(ms).toBeLessThan(SERVED_WITHIN_MS);
      await eventually(gone(pids.appServer), "the stopped app-server is ended", GONE_WITHIN_MS);
      await eventually(gone(pids.broker), "and so is its broker");
    },
  );
});

describe("an app-server that stops while clients are at work", () => {
  test(
    "F11 F12 F15 S7: what begins is begun elsewhere, and what runs is told that it is lost",
    { timeout: SERVED_WITHIN_MS + GONE_WITHIN_MS },
    async () => {
      await using world = await makeWorld();
      await using client = await world.connect();
      await using other = await world.connect();
      const running = client.runTurn({ prompt: "slow: 400x50ms tick" });
      for await (const event of running) if (event.type === "message.delta") break;
      const { appServer } = await client.status();
      // It has answered a moment ago, so whoever asks now is not yet kept from it.
      process.kill(appServer.pid ?? 0, "SIGSTOP");
      const lost = running.result.catch((error: unknown) => error);
      const { value: begun, ms } = await timed(other.runTurn({ prompt: "say: elsewhere" }).result);
      expect(begun).toMatchObject({ status: "completed", message: "elsewhere" });
      expect(ms).toBeLessThan(SERVED_WITHIN_MS);
      expect(other.epoch).toBe(2);
      expect(await lost).toMatchObject({ kind: "turnLost" });
      await eventually(gone(appServer.pid ?? 0), "the stopped one is ended", GONE_WITHIN_MS);
    },
  );
});

describe("a broker that is busy", () => {
  test("F03: is never taken for a dead one, however many turns it runs", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    const turns = Array.from({ length: 8 }, () =>
      client.runTurn({ prompt: "stream: 400 deltas at 400/s of 200 bytes" }),
    );
    for (let i = 0; i < 10; i += 1) {
      const other = await world.connect();
      expect(other.instance).toBe(client.instance);
      other.close();
    }
    for (const turn of turns) expect((await turn.result).status).toBe("completed");
  });
});

describe("a broker that is superseded in the middle of a turn", () => {
  test("F29 S2 S8: is replaced at once for new work, and the turn that runs is not cut", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    const turn = client.runTurn({ prompt: "slow: 40x50ms tick" });
    for await (const event of turn) if (event.type === "message.delta") break;
    await using successor = await world.connect({ replace: true });
    expect(successor.epoch).toBe(2);
    expect(await successor.runTurn({ prompt: "say: new work" }).result).toMatchObject({
      message: "new work",
    });
    const result = await turn.result;
    expect(result).toMatchObject({ status: "completed" });
    expect(result.message.split(" ").length).toBeGreaterThan(40);
    await eventually(() => livingBrokers(world.stateDir).length === 1, "the older broker ends");
  });

  test("S2: one that nobody supersedes ends by itself when it is over age, but not in a turn", async () => {
    await using world = await makeWorld();
    const client = await world.connect({ limits: { maxAgeMs: 400 } });
    const turn = client.runTurn({ prompt: "slow: 20x50ms tick" });
    expect(await turn.result).toMatchObject({ status: "completed" });
    client.close();
    await eventually(() => livingBrokers(world.stateDir).length === 0, "the broker ends");
  });

  test("F36: its turn can still be interrupted", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    const turn = client.runTurn({ prompt: "silence" });
    for await (const event of turn) if (event.type === "turn.started") break;
    await using successor = await world.connect({ replace: true });
    turn.interrupt();
    expect((await turn.result).status).toBe("interrupted");
    expect(successor.epoch).toBe(2);
  });
});
