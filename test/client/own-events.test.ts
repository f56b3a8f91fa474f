import { expect, test } from "vitest";
import { OwnEvents } from "../../src/client/own-events.ts";

/** What is delivered of what is heard, by name. */
function listening(): {
  own: OwnEvents;
  got: string[];
  hear: (name: string, more?: object) => void;
} {
  const got: string[] = [];
  const own = new OwnEvents((_method, params) => void got.push(String(params["name"])));
  const hear = (name: string, more: object = {}): void =>
    own.hear("m", { threadId: "t", name, ...more });
  return { own, got, hear };
}

const started = (own: OwnEvents, id: string): void =>
  own.hear("turn/started", { threadId: "t", turn: { id }, name: `start ${id}` });

test("F35: before the thread is known everything is kept, and afterwards only its own is told", () => {
  const { own, got, hear } = listening();
  hear("early");
  hear("other's", { threadId: "x" });
  own.hear("m", undefined);
  expect(got).toEqual([]);
  own.openThread("t");
  hear("later");
  hear("other's later", { threadId: "x" });
  expect(got).toEqual(["early", "later"]);
});

test("F35: of the thread's turns only the own one is told, its events from before the answer too", () => {
  const { own, got, hear } = listening();
  own.openThread("t");
  started(own, "theirs");
  hear("theirs", { turnId: "theirs" });
  hear("thread's");
  own.hear("turn/completed", { threadId: "t", turn: { id: "theirs" }, name: "their end" });
  hear("mine", { turnId: "mine" });
  own.claim("mine");
  hear("mine too", { turnId: "mine" });
  hear("next one's", { turnId: "next" });
  expect(got).toEqual(["thread's", "mine", "mine too"]);
});

test("F45: a turn that was begun without a word on its id is the latest that has started", () => {
  const { own, got, hear } = listening();
  own.openThread("t");
  started(own, "theirs");
  hear("theirs", { turnId: "theirs" });
  started(own, "mine");
  own.claim(undefined);
  hear("mine", { turnId: "mine" });
  expect([own.turnId, ...got]).toEqual(["mine", "start mine", "mine"]);
});

test("F45: where none has started, the next event that names a turn names it", () => {
  const { own, got, hear } = listening();
  own.openThread("t");
  own.claim(undefined);
  expect(own.turnId).toBeUndefined();
  hear("first", { turnId: "mine" });
  hear("other's", { turnId: "x" });
  expect([own.turnId, ...got]).toEqual(["mine", "first"]);
});

test("keeps little of what others do while it waits for its turn", () => {
  const { own, got, hear } = listening();
  own.openThread("t");
  for (let n = 0; n < 5_000; n += 1) hear(`n${n}`, { turnId: "mine" });
  own.claim("mine");
  expect(got).toHaveLength(1_000);
  expect(got.at(-1)).toBe("n4999");
});

test("F185: the end of the thread's former life is not told, nor what came before it", () => {
  const { own, got, hear } = listening();
  hear("former");
  hear("other's", { threadId: "x" });
  own.hear("thread/status/changed", {
    threadId: "t",
    name: "unloaded",
    status: { type: "notLoaded" },
  });
  own.hear("thread/closed", { threadId: "t", name: "closed" });
  hear("new");
  own.openThread("t");
  expect(got).toEqual(["new"]);
  own.hear("thread/closed", { threadId: "t", name: "closed now" });
  expect(got).toEqual(["new", "closed now"]);
});
