import { describe, expect, test } from "vitest";
import { deferred } from "../../src/base/deferred.ts";
import type { BrokerClient } from "../../src/index.ts";
import { eventually } from "../support/eventually.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { livingBrokers } from "../support/stop-brokers.ts";
import { makeWorld, type World } from "../support/world.ts";

guardAgainstLeaks();

/** A turn that goes on in a broker which another one has superseded since. */
async function turnInOlderBroker(world: World, client: BrokerClient) {
  const begun = deferred<string>();
  const turn = client.runTurn({ prompt: "hold" });
  client.onNotification((method) => {
    if (method === "turn/started") begun.resolve(method);
  });
  await begun.promise;
  const { epoch } = client;
  const successor = await world.connect({ replace: true });
  expect(successor.epoch).toBe(epoch + 1);
  return { turn, epoch, successor };
}

describe("a turn that goes on in a superseded broker", () => {
  test("F36 F29: is interrupted by whoever asks the successor to", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    const { turn, successor } = await turnInOlderBroker(world, client);
    await using newcomer = successor;
    const { threadId, turnId } = turn;
    await newcomer.request("turn/interrupt", { threadId: threadId!, turnId: turnId! });
    expect(await turn.result).toMatchObject({ status: "interrupted" });
    await eventually(() => livingBrokers(world.stateDir).length === 1, "the older broker ends");
  });

  test("F40: keeps its thread, and a resume elsewhere is told at once which epoch has it", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    const { turn, epoch, successor } = await turnInOlderBroker(world, client);
    await using newcomer = successor;
    const threadId = turn.threadId!;
    await expect(newcomer.request("thread/resume", { threadId })).rejects.toMatchObject({
      kind: "threadBusy",
      details: { threadId, turnId: turn.turnId, epoch },
    });
    turn.interrupt();
    expect(await turn.result).toMatchObject({ status: "interrupted" });
    expect(await newcomer.request("thread/resume", { threadId })).toMatchObject({
      thread: { id: threadId },
    });
  });

  test("an interrupt of a turn that nobody runs gets Codex's own answer", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    const { threadId, turnId } = await client.runTurn({ prompt: "say: done" }).result;
    await expect(client.request("turn/interrupt", { threadId, turnId })).rejects.toThrow(
      /no active turn/,
    );
  });
});
