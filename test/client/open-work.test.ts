import { describe, expect, test } from "vitest";
import { OpenWork } from "../../src/client/open-work.ts";

const START = "turn/start";
const on = { threadId: "t" };
const turn = (id: string): object => ({ threadId: "t", turn: { id } });

describe("what is still to come over a connection", () => {
  test("is a turn that begins when the one before has ended and its request has no response yet (F102)", () => {
    const work = new OpenWork();
    work.begin(START, on);
    work.answered(START, on, turn("a"));
    work.begin(START, on);
    work.heard("turn/completed", turn("a"));
    expect(work.done).toBe(false);
    expect(work.mayRunTurnOf("t")).toBe(true);
    work.answered(START, on, turn("b"));
    expect(work.turns()).toEqual([["t", "b"]]);
    work.heard("turn/started", turn("b"));
    work.heard("turn/completed", turn("b"));
    expect(work.done).toBe(true);
  });

  test("is that turn, too, when its response comes before the end of the one before (F102)", () => {
    const work = new OpenWork();
    work.heard("turn/started", turn("a"));
    work.begin(START, on);
    work.answered(START, on, turn("b"));
    work.heard("turn/completed", turn("a"));
    expect(work.turns()).toEqual([["t", "b"]]);
    work.heard("turn/completed", turn("b"));
    expect(work.done).toBe(true);
  });

  test("is nothing when the end of a turn comes before the response that names it", () => {
    const work = new OpenWork();
    work.begin(START, on);
    work.heard("turn/started", turn("a"));
    work.heard("turn/completed", turn("a"));
    work.answered(START, on, turn("a"));
    expect(work.done).toBe(true);
  });

  test("is nothing when the request was rejected", () => {
    const work = new OpenWork();
    const first = work.begin(START, on);
    const second = work.begin(START, on);
    first(false);
    expect(work.runsTurnOf("t")).toBe(false);
    expect(work.done).toBe(false);
    second(false);
    expect(work.done).toBe(true);
  });

  test("is a turn that may have begun, when the response has not come in time", () => {
    const work = new OpenWork();
    work.begin(START, on)(true);
    expect(work.runsTurnOf("t")).toBe(true);
    work.heard("turn/completed", turn("a"));
    expect(work.done).toBe(true);
  });

  test("is no turn on the thread that a review was asked of, when it runs on another", () => {
    const work = new OpenWork();
    work.begin("review/start", on);
    work.answered("review/start", on, { turn: { id: "a" }, reviewThreadId: "other" });
    expect(work.runsTurnOf("t")).toBe(false);
    expect(work.done).toBe(true);
  });
});
