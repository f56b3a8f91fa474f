import { describe, expect, test } from "vitest";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeWorld } from "../support/world.ts";
import type { TurnEvent } from "../../src/index.ts";

guardAgainstLeaks();

describe("a turn through a shared broker", () => {
  test("starts a broker where there is none and runs the turn", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    expect(client.started).toBe(true);
    const turn = client.runTurn({ prompt: "say: hello world" });
    const events: TurnEvent[] = [];
    for await (const event of turn) events.push(event);
    const result = await turn.result;
    expect(result).toMatchObject({ status: "completed", message: "hello world", error: null });
    const types = events.map((event) => event.type);
    expect(types).toContain("message.delta");
    expect(types.indexOf("thread.started")).toBeLessThan(types.indexOf("turn.started"));
    expect(types.at(-1)).toBe("turn.completed");
  });

  test("F89: finds the broker warm the second time", async () => {
    await using world = await makeWorld();
    await using first = await world.connect();
    await using second = await world.connect();
    expect([first.started, second.started]).toEqual([true, false]);
    expect(second.instance).toBe(first.instance);
    const [one, other] = await Promise.all([first.status(), second.status()]);
    expect(other.appServer.pid).toBe(one.appServer.pid);
  });
});
