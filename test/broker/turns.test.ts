import { describe, expect, test } from "vitest";
import { pause } from "../../src/base/deadline.ts";
import { Turns } from "../../src/broker/turns.ts";

const owner = { name: "owner" };

describe("the running turns", () => {
  test("F87: are one a thread, with an owner, an age and the time of the last event", async () => {
    const turns = new Turns<object>();
    const turn = turns.begin("t", owner);
    turns.begin("u", undefined);
    expect(turns.size).toBe(2);
    expect(turns.get("t")).toBe(turn);
    expect(turn).toMatchObject({ threadId: "t", id: undefined, owner, begun: false });
    await pause(5);
    turns.touch("t");
    turns.touch("nobody's");
    expect(turn.lastEventAt).toBeGreaterThan(turn.startedAt);
    expect(turns.end("t")).toBe(turn);
    expect(turns.end("t")).toBeUndefined();
    expect([...turns.all()].map(({ threadId }) => threadId)).toEqual(["u"]);
  });
});

describe("F63: what waits for the beginning of a turn", () => {
  test("goes once it has begun, in order, and only once", () => {
    const turns = new Turns<object>();
    const turn = turns.begin("t", owner);
    const done: number[] = [];
    turn.onceBegun.push(() => done.push(1));
    turn.onceBegun.push(() => done.push(2));
    expect(done).toEqual([]);
    turns.hasBegun(turn);
    expect(done).toEqual([1, 2]);
    turns.hasBegun(turn);
    turns.end("t");
    expect(done).toEqual([1, 2]);
  });

  test("goes at the end of a turn that never began, when it is no longer the running one", () => {
    const turns = new Turns<object>();
    const turn = turns.begin("t", owner);
    let running: unknown = turn;
    turn.onceBegun.push(() => (running = turns.get("t")));
    turns.end("t");
    expect(running).toBeUndefined();
    expect(turn.begun).toBe(false);
  });
});
