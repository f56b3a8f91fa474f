import { describe, expect, test } from "vitest";
import type { TurnEvent, TurnRun } from "../../src/index.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeWorld } from "../support/world.ts";

guardAgainstLeaks();

async function firstDelta(turn: TurnRun): Promise<void> {
  for await (const event of turn) if (event.type === "message.delta") return;
}

async function all(turn: TurnRun): Promise<TurnEvent[]> {
  const events: TurnEvent[] = [];
  for await (const event of turn) events.push(event);
  return events;
}

describe("F35: a turn that another program has started", () => {
  test("is joined from its beginning, with the same result", async () => {
    await using world = await makeWorld();
    await using one = await world.connect();
    await using other = await world.connect();
    const turn = one.runTurn({ prompt: "slow: 3x10ms tick ;; hold: gate ;; say: the end" });
    await firstDelta(turn);
    const [running] = (await other.status()).turns;
    const joined = other.joinTurn({ threadId: running!.threadId });
    await firstDelta(joined);
    world.model.release("gate");
    const events = await all(joined);
    const { durationMs: _its, ...result } = await turn.result;
    expect(await joined.result).toMatchObject(result);
    expect(joined.turnId).toBe(turn.turnId);
    expect(events.at(-1)).toMatchObject({ type: "turn.completed" });
  });

  test("can be interrupted by whoever has joined it, and goes on when that one leaves", async () => {
    await using world = await makeWorld();
    await using one = await world.connect();
    const leaver = await world.connect();
    await using other = await world.connect();
    const turn = one.runTurn({ prompt: "slow: 3x10ms tick ;; silence" });
    await firstDelta(turn);
    const left = leaver.joinTurn({ threadId: turn.threadId! });
    left.result.catch(() => {});
    await firstDelta(left);
    leaver.close();
    const joined = other.joinTurn({ threadId: turn.threadId! });
    await firstDelta(joined);
    joined.interrupt();
    expect((await joined.result).status).toBe("interrupted");
    expect((await turn.result).status).toBe("interrupted");
  });

  test("is not there on a thread that is idle", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    const { threadId } = await client.runTurn({ prompt: "say: done" }).result;
    await expect(client.joinTurn({ threadId }).result).rejects.toMatchObject({
      kind: "invalidRequest",
      details: { threadId },
    });
  });
});
