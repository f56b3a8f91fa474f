import { readlinkSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { BrokerError, type TurnRun } from "../../src/index.ts";
import { monotonicMs, pause } from "../../src/base/deadline.ts";
import { readStat } from "../../src/os/proc-stat.ts";
import { listProcesses, readProcess } from "../../src/os/process-tree.ts";
import { eventually } from "../support/eventually.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { ON_WINDOWS } from "../support/wine.ts";
import { slowness } from "../support/slowness.ts";
import { makeWorld, type World } from "../support/world.ts";

guardAgainstLeaks();

/** What the design promises wherever somebody waits. */
const TOLD_WITHIN_MS = 200;

/** For a turn to begin. */
const LONG_ENOUGH_MS = ON_WINDOWS ? 5_000 : 300;

/** The broker looks at what was started 0.1 s after it was announced; nothing tells that it has. */
const NOTED_WITHIN_MS = 300;

function cwdOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return undefined;
  }
}

async function running(turn: TurnRun): Promise<void> {
  for await (const event of turn) if (event.type === "message.delta") return;
  throw new Error("the turn ended before it said anything");
}

async function killAndTime(
  pid: number,
  turn: TurnRun,
): Promise<{ error: BrokerError; ms: number }> {
  const at = monotonicMs();
  process.kill(pid, "SIGKILL");
  const error = await turn.result.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!BrokerError.is(error)) throw new Error(`not a typed error: ${String(error)}`);
  return { error, ms: monotonicMs() - at };
}

async function midTurn(
  world: World,
  prompt = "slow: 200x50ms tick",
): Promise<{ turn: TurnRun; pids: Pids }> {
  const client = await world.connect();
  const turn = client.runTurn({ prompt });
  await running(turn);
  const status = await client.status();
  return { turn, pids: { broker: status.pid, appServer: status.appServer.pid ?? 0 } };
}

interface Pids {
  readonly broker: number;
  readonly appServer: number;
}

const gone = (pid: number) => (): boolean => readProcess(pid)?.ended ?? true;

describe("when somebody dies in the middle of a turn", () => {
  test("F11 F42 S10: a killed app-server ends the turn with its cause, and the broker with it", async () => {
    await using world = await makeWorld();
    const { turn, pids } = await midTurn(world);
    const { error, ms } = await killAndTime(pids.appServer, turn);
    expect(error.kind).toBe("turnLost");
    expect(error.details).toMatchObject({
      // Windows knows no signals: whoever is ended has a code.
      ...(ON_WINDOWS ? { code: 1, signal: null } : { signal: "SIGKILL" }),
      threadId: turn.threadId,
      turnId: turn.turnId,
    });
    expect(error.hint).toContain(`--resume ${String(turn.threadId)}`);
    expect(ms).toBeLessThan(TOLD_WITHIN_MS * (await slowness()));
    await eventually(gone(pids.broker), "the broker ends");
  });

  test("F42 S10: a killed broker ends the turn with a typed error, and the app-server with it", async () => {
    await using world = await makeWorld();
    const { turn, pids } = await midTurn(world);
    const { error, ms } = await killAndTime(pids.broker, turn);
    expect(error.kind).toBe("turnLost");
    expect(error.cause).toMatchObject({ kind: "connectionLost" });
    expect(ms).toBeLessThan(TOLD_WITHIN_MS * (await slowness()));
    await eventually(gone(pids.appServer), "the app-server ends");
  });

  test("S1: after a killed broker the next call gets a new one, and can resume the thread", async () => {
    await using world = await makeWorld();
    const { turn, pids } = await midTurn(world);
    await killAndTime(pids.broker, turn);
    await using client = await world.connect();
    expect(client.started).toBe(true);
    const resumed = client.runTurn({ prompt: "say: again", threadId: turn.threadId! });
    expect(await resumed.result).toMatchObject({ status: "completed", message: "again" });
  });

  test("F37: a foreground turn whose client goes is interrupted upstream", async () => {
    await using world = await makeWorld();
    await using observer = await world.connect();
    const client = await world.connect();
    const turn = client.runTurn({ prompt: "silence" });
    turn.result.catch(() => {});
    await eventually(() => world.model.requests.inFlight === 1, "the model is asked");
    client.close();
    await eventually(() => world.model.requests.inFlight === 0, "the model's request is dropped");
    await eventually(async () => (await observer.status()).turns.length === 0, "the turn ends");
    expect((await observer.status()).threads).toBe(0);
  });

  test("F43: a request after the loss is refused at once", async () => {
    await using world = await makeWorld();
    const client = await world.connect();
    const { pid } = await client.status();
    process.kill(pid, "SIGKILL");
    expect((await client.closed).kind).toBe("connectionLost");
    await expect(client.request("thread/loaded/list", {})).rejects.toMatchObject({
      kind: "connectionLost",
    });
  });
});

describe("what a turn had started", () => {
  // Of Windows: test/broker/own-job.codex.test.ts.
  test.skipIf(ON_WINDOWS).each(["broker", "appServer"] as const)(
    "F18: a killed %s leaves no running command behind",
    async (victim) => {
      await using world = await makeWorld();
      const client = await world.connect();
      const turn = client.runTurn({ prompt: "shell: sleep 600 & sleep 601" });
      turn.result.catch(() => {});
      for await (const event of turn) {
        if (event.type === "item.started" && event.item.type === "commandExecution") break;
      }
      const sleepers = (): string[] =>
        (listProcesses() ?? [])
          .filter(({ pid }) => readStat(pid)?.comm === "sleep" && cwdOf(pid) === world.workspace)
          .map(String);
      await eventually(() => sleepers().length === 2, "the command runs");
      await pause(NOTED_WITHIN_MS);
      const status = await client.status();
      process.kill(victim === "broker" ? status.pid : (status.appServer.pid ?? 0), "SIGKILL");
      await client.closed;
      await eventually(() => sleepers().length === 0, "the command ends");
    },
  );
});

describe("a turn that is told to end", () => {
  test("F15: a time-out also stops the work upstream", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    const result = await client.runTurn({ prompt: "silence", timeoutMs: LONG_ENOUGH_MS }).result;
    expect(result.status).toBe("timedOut");
    await eventually(() => world.model.requests.inFlight === 0, "the model's request is dropped");
  });

  test("F63: an interrupt before the turn's id is known is applied as soon as it is", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    const turn = client.runTurn({ prompt: "silence" });
    for await (const event of turn) if (event.type === "thread.started") break;
    await Promise.resolve();
    turn.interrupt();
    const ended = await turn.result.then(
      (result) => result.status,
      (error: unknown) => (BrokerError.is(error) ? error.kind : error),
    );
    expect(["interrupted", "turnInterrupted"]).toContain(ended);
    expect((await client.status()).turns).toEqual([]);
  });

  test("an abort signal interrupts upstream and the result says so", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    const stop = new AbortController();
    const turn = client.runTurn({ prompt: "slow: 200x50ms tick", signal: stop.signal });
    await running(turn);
    stop.abort();
    expect((await turn.result).status).toBe("interrupted");
  });
});
