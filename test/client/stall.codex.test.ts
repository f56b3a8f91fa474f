import { expect, test } from "vitest";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeWorld } from "../support/world.ts";

guardAgainstLeaks();

test("F15: a turn that falls silent is reported, and goes on", async () => {
  await using world = await makeWorld();
  await using client = await world.connect();
  const turn = client.runTurn({ prompt: "say: one ;; hold: gate ;; say: two", stallMs: 500 });
  for await (const event of turn) {
    if (event.type === "turn.stalled") world.model.release("gate");
  }
  expect(await turn.result).toMatchObject({ status: "completed", message: "two" });
});

test("F15: a turn that falls silent is interrupted upstream where that is wanted", async () => {
  await using world = await makeWorld();
  await using client = await world.connect();
  const turn = client.runTurn({
    prompt: "say: one ;; silence",
    stallMs: 500,
    onStall: "interrupt",
  });
  expect((await turn.result).status).toBe("timedOut");
  expect((await client.status()).turns).toEqual([]);
});
