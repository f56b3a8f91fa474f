import { describe, expect, test } from "vitest";
import { Threads } from "../../src/broker/threads.ts";
import { unusedThreads } from "../../src/broker/unused-threads.ts";

const somebody = { name: "somebody" };
const noTurns = (): boolean => false;
const noOpens = (): boolean => false;

function threads(): Threads<object> {
  const all = new Threads<object>();
  for (const each of ["heard", "left"]) all.subscribe(each, somebody);
  all.adopt("agent of heard", "heard");
  all.adopt("agent of left", "left");
  all.unsubscribe("left", somebody);
  return all;
}

describe("threads that nobody uses", () => {
  test("are those that nobody hears, with their sub-agents'", () => {
    const all = threads();
    const use = { hasTurn: noTurns, isOpening: noOpens, hearingCounts: true };
    expect(unusedThreads(all, all.all(), use)).toEqual(["left", "agent of left"]);
    expect(unusedThreads(all, ["agent of left"], use)).toEqual(["left", "agent of left"]);
    expect(unusedThreads(all, ["heard"], use)).toEqual([]);
  });

  test("are none of a family in which a turn runs", () => {
    const all = threads();
    for (const running of ["left", "agent of left"]) {
      const hasTurn = (threadId: string): boolean => threadId === running;
      expect(
        unusedThreads(all, all.all(), { hasTurn, isOpening: noOpens, hearingCounts: true }),
      ).toEqual([]);
    }
  });

  test("are all without a turn where it does not count that they are heard", () => {
    const all = threads();
    const use = { hasTurn: noTurns, isOpening: noOpens, hearingCounts: false };
    expect(unusedThreads(all, all.all(), use).toSorted()).toEqual(all.all().toSorted());
  });

  test("are not those that are not loaded, though a loaded one works for them", () => {
    const all = threads();
    all.forget("left");
    const use = { hasTurn: noTurns, isOpening: noOpens, hearingCounts: true };
    expect(unusedThreads(all, all.all(), use)).toEqual(["agent of left"]);
  });
});
