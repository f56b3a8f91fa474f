import { describe, expect, test } from "vitest";
import type { TurnEvent, TurnRun } from "../../src/index.ts";
import { eventually } from "../support/eventually.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeWorld, type World } from "../support/world.ts";

guardAgainstLeaks();

async function until(turn: TurnRun, type: TurnEvent["type"]): Promise<void> {
  for await (const event of turn) if (event.type === type) return;
  throw new Error(`the turn ended without ${type}`);
}

/** A thread on which the model waits at a gate. */
async function busyThread(world: World): Promise<{ turn: TurnRun; threadId: string }> {
  const client = await world.connect();
  const turn = client.runTurn({ prompt: "hold: gate ;; say: first" });
  await until(turn, "turn.started");
  return { turn, threadId: turn.threadId! };
}

describe("F32: a turn on a thread that runs another's", () => {
  test("is refused, and the other goes on", async () => {
    await using world = await makeWorld();
    const { turn, threadId } = await busyThread(world);
    await using other = await world.connect();
    await expect(other.runTurn({ prompt: "say: no", threadId }).result).rejects.toMatchObject({
      kind: "threadBusy",
      details: { threadId, turnId: turn.turnId },
    });
    world.model.release("gate");
    expect(await turn.result).toMatchObject({ status: "completed", message: "first" });
    expect(world.model.requests.total).toBe(1);
  });

  test("waits for it when it would rather, in the order of asking, and hears only its own events", async () => {
    await using world = await makeWorld();
    const { turn, threadId } = await busyThread(world);
    const clients = await Promise.all([world.connect(), world.connect()]);
    const waiting: TurnRun[] = [];
    for (const [n, client] of clients.entries()) {
      const next = client.runTurn({ prompt: `say: waited ${n}`, threadId, whenBusy: "queue" });
      await until(next, "turn.queued");
      waiting.push(next);
    }
    world.model.release("gate");
    expect(await turn.result).toMatchObject({ status: "completed", message: "first" });
    for (const [n, next] of waiting.entries()) {
      expect(await next.result).toMatchObject({ status: "completed", message: `waited ${n}` });
    }
    const ids = new Set([turn, ...waiting].map(({ turnId }) => turnId));
    expect(ids.size).toBe(3);
    const prompts = world.model.requests.recent.map(({ prompt }) => prompt);
    expect(prompts).toEqual(["hold: gate ;; say: first", "say: waited 0", "say: waited 1"]);
    for (const client of clients) client.close();
  });

  test("can be taken back or run out of time while it waits, and never begins then", async () => {
    await using world = await makeWorld();
    const { turn, threadId } = await busyThread(world);
    await using client = await world.connect();
    const back = client.runTurn({ prompt: "say: no", threadId, whenBusy: "queue" });
    await until(back, "turn.queued");
    const late = client.runTurn({
      prompt: "say: no",
      threadId,
      whenBusy: "queue",
      timeoutMs: 300,
    });
    back.interrupt();
    await expect(back.result).rejects.toMatchObject({ kind: "turnInterrupted" });
    await expect(late.result).rejects.toMatchObject({ kind: "timedOut" });
    world.model.release("gate");
    expect(await turn.result).toMatchObject({ status: "completed" });
    expect(world.model.requests.total).toBe(1);
  });

  test(
    "F29: waits for it across a replacement of the broker, and begins at the successor",
    { timeout: 40_000 },
    async () => {
      await using world = await makeWorld();
      const { turn, threadId } = await busyThread(world);
      await using client = await world.connect();
      const next = client.runTurn({ prompt: "say: second", threadId, whenBusy: "queue" });
      await until(next, "turn.queued");
      const replacing = await world.connect({ replace: true });
      const { epoch } = replacing;
      replacing.close();
      await eventually(() => client.epoch === epoch, "the client has moved");
      world.model.release("gate");
      expect(await turn.result).toMatchObject({ status: "completed", message: "first" });
      expect(await next.result).toMatchObject({ status: "completed", message: "second", threadId });
    },
  );
});
