import { expect, test, vi } from "vitest";
import type { BrokerClient } from "../../src/index.ts";
import { reachable } from "../support/collect.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeWorld } from "../support/world.ts";

guardAgainstLeaks();
vi.setConfig({ testTimeout: 90_000 });

const TURNS = 12;

/** Runs a turn to its end. What is returned does not keep it. */
async function finished(
  client: BrokerClient,
  threadId?: string,
): Promise<[WeakRef<object>, string]> {
  const turn = client.runTurn({
    prompt: "say: done",
    ...(threadId === undefined ? {} : { threadId }),
  });
  for await (const event of turn) void event;
  const result = await turn.result;
  return [new WeakRef(turn), result.threadId];
}

test("a finished turn is released while its client goes on (F140)", async () => {
  await using world = await makeWorld();
  await using client = await world.connect();
  const refs: Array<WeakRef<object>> = [];
  let threadId: string | undefined;
  for (let turns = 0; turns < TURNS; turns += 1) {
    const [ref, thread] = await finished(client, turns % 2 === 0 ? threadId : undefined);
    refs.push(ref);
    threadId = thread;
  }
  // The latest may still be in some register.
  expect(await reachable(refs)).toBeLessThan(2);
  expect((await client.status()).sessions).toHaveLength(1);
});
