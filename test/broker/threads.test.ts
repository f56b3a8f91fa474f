import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Threads } from "../../src/broker/threads.ts";

interface Session {
  readonly name: string;
}
const [a, b, c] = ["a", "b", "c"].map((name): Session => ({ name })) as [Session, Session, Session];

const names = (threads: Threads<Session>, threadId: string): string[] =>
  [...threads.audience(threadId)].map(({ name }) => name);

describe("who hears of a thread", () => {
  test("F35: those who subscribed to it, in their order, and nobody else", () => {
    const threads = new Threads<Session>();
    threads.subscribe("t", b);
    threads.subscribe("t", a);
    threads.subscribe("t", b);
    threads.subscribe("other", c);
    expect(names(threads, "t")).toEqual(["b", "a"]);
    expect(names(threads, "nobody's")).toEqual([]);
    expect(threads.unsubscribe("t", b)).toBe(true);
    expect(threads.unsubscribe("t", b)).toBe(false);
    expect(threads.unsubscribe("nobody's", b)).toBe(false);
    expect(names(threads, "t")).toEqual(["a"]);
  });

  test("F35: of a sub-agent's thread, those who hear its parent, at any depth", () => {
    const threads = new Threads<Session>();
    threads.subscribe("parent", a);
    threads.adopt("child", "parent");
    threads.adopt("grandchild", "child");
    threads.subscribe("child", b);
    expect(names(threads, "grandchild")).toEqual(["b", "a"]);
    threads.subscribe("parent", c);
    expect(names(threads, "child")).toEqual(["b", "a", "c"]);
    expect(names(threads, "parent")).toEqual(["a", "c"]);
    threads.unsubscribe("parent", a);
    expect(names(threads, "grandchild")).toEqual(["b", "c"]);
  });

  test("F35: of a sub-agent's thread, once each, though he hears both", () => {
    const threads = new Threads<Session>();
    threads.subscribe("parent", a);
    threads.adopt("child", "parent");
    threads.subscribe("child", a);
    expect(names(threads, "child")).toEqual(["a"]);
  });

  test("a sub-agent's thread whose parent was forgotten is heard by its own subscribers", () => {
    const threads = new Threads<Session>();
    threads.subscribe("parent", a);
    threads.adopt("child", "parent");
    threads.forget("parent");
    expect(names(threads, "child")).toEqual([]);
    threads.subscribe("child", b);
    expect(names(threads, "child")).toEqual(["b"]);
  });
});

describe("the family of a thread", () => {
  /** A parent with a child, which has a child of its own. */
  function family(): Threads<Session> {
    const threads = new Threads<Session>();
    threads.subscribe("parent", a);
    threads.adopt("child", "parent");
    threads.adopt("grandchild", "child");
    return threads;
  }

  test("has one root, at any depth", () => {
    const threads = family();
    const all = ["parent", "child", "grandchild"];
    expect(all.map((each) => threads.rootOf(each))).toEqual(["parent", "parent", "parent"]);
    for (const each of all) expect(threads.family(each)).toEqual(all);
  });

  test("is left by a child that is forgotten, or that works for another now", () => {
    const threads = family();
    threads.adopt("sibling", "parent");
    threads.forget("child");
    expect(threads.family("parent")).toEqual(["parent", "sibling"]);
    threads.adopt("sibling", "other");
    expect(threads.family("parent")).toEqual(["parent"]);
    expect(threads.family("other")).toEqual(["other", "sibling"]);
  });
});

test("F48: threads that are said to work for each other are no sub-agents", () => {
  const threads = new Threads<Session>();
  threads.subscribe("one", a);
  threads.adopt("one", "one");
  threads.adopt("two", "one");
  threads.adopt("one", "two");
  expect([threads.rootOf("one"), threads.rootOf("two")]).toEqual(["one", "one"]);
});

describe("the threads that are loaded", () => {
  test("F38: are those that somebody took up and nobody released", () => {
    const threads = new Threads<Session>();
    threads.subscribe("one", a);
    threads.adopt("two", "one");
    threads.subscribe("three", b);
    expect(threads.all()).toEqual(["one", "two", "three"]);
    threads.unsubscribe("one", a);
    expect(threads.knows("one")).toBe(true);
    expect(["one", "two", "three"].map((id) => threads.rootOf(id))).toEqual([
      "one",
      "one",
      "three",
    ]);
    threads.forget("one");
    threads.forget("two");
    threads.forget("two");
    expect([threads.size, threads.knows("one")]).toEqual([1, false]);
  });

  test("F38: each session's own are told, whatever came and went before", () => {
    const move = fc.record({
      kind: fc.constantFrom("subscribe", "unsubscribe", "forget"),
      thread: fc.constantFrom("1", "2", "3"),
      session: fc.constantFrom(a, b),
    });
    fc.assert(
      fc.property(fc.array(move), (moves) => {
        const threads = new Threads<Session>();
        const model = new Map<string, Set<Session>>();
        for (const { kind, thread, session } of moves) {
          if (kind === "subscribe") {
            threads.subscribe(thread, session);
            model.set(thread, (model.get(thread) ?? new Set()).add(session));
          } else if (kind === "unsubscribe") {
            expect(threads.unsubscribe(thread, session)).toBe(
              model.get(thread)?.delete(session) ?? false,
            );
          } else {
            threads.forget(thread);
            model.delete(thread);
          }
        }
        expect(new Set(threads.all())).toEqual(new Set(model.keys()));
        for (const session of [a, b]) {
          const own = [...model].filter(([, set]) => set.has(session)).map(([thread]) => thread);
          expect(new Set(threads.subscribedTo(session))).toEqual(new Set(own));
        }
      }),
    );
  });
});
