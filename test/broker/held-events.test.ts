import { describe, expect, test } from "vitest";
import { HeldEvents, type HeldEventsOptions } from "../../src/broker/held-events.ts";
import { notificationFrame } from "./recording-peer.ts";

const MAX_PER_THREAD = 1_000;
const MAX_THREADS = 200;

const event = (n: number): ReturnType<typeof notificationFrame> => notificationFrame(`event/${n}`);
const numbers = (held: HeldEvents, threadId: string): number[] =>
  held.release(threadId).map(({ method }) => Number(method.slice("event/".length)));

function holding(more: Partial<HeldEventsOptions> = {}): HeldEvents {
  const options = { maxPerThread: MAX_PER_THREAD, maxBytes: 1e6 };
  return new HeldEvents({ ...options, ...more });
}

describe("F35: events of a thread that nobody is known to hear", () => {
  test("are kept in their order, each for its thread, and told once", () => {
    const held = holding();
    for (let n = 0; n < 10; n += 1) held.hold(n % 2 === 0 ? "even" : "odd", event(n));
    expect(numbers(held, "odd")).toEqual([1, 3, 5, 7, 9]);
    expect(numbers(held, "odd")).toEqual([]);
    expect(numbers(held, "even")).toEqual([0, 2, 4, 6, 8]);
    expect(numbers(held, "nobody's")).toEqual([]);
  });

  test("are bounded for each thread: the first ones are kept", () => {
    const held = holding();
    for (let n = 0; n < MAX_PER_THREAD + 10; n += 1) held.hold("noisy", event(n));
    held.hold("quiet", event(1));
    const kept = numbers(held, "noisy");
    expect(kept).toHaveLength(MAX_PER_THREAD);
    expect(kept.at(-1)).toBe(MAX_PER_THREAD - 1);
    expect(numbers(held, "quiet")).toEqual([1]);
  });

  test("are bounded in the number of threads: the latest keep theirs", () => {
    const held = holding();
    for (let n = 0; n <= MAX_THREADS; n += 1) held.hold(`t${n}`, event(n));
    held.hold("t1", event(7));
    expect(numbers(held, "t0")).toEqual([]);
    expect(numbers(held, "t1")).toEqual([1, 7]);
    expect(numbers(held, `t${MAX_THREADS}`)).toEqual([MAX_THREADS]);
  });

  test("are kept while their thread may be opened, and dropped when it is not (F110 F185)", () => {
    const opening = new Set(["slow"]);
    const held = holding();
    held.hold("slow", event(1));
    held.hold("done", event(2));
    held.prune((threadId) => opening.has(threadId));
    held.hold("slow", event(3));
    expect(numbers(held, "done")).toEqual([]);
    expect(numbers(held, "slow")).toEqual([1, 3]);
    held.hold("slow", event(4));
    held.prune(() => false);
    expect(numbers(held, "slow")).toEqual([]);
  });

  test("are bounded in bytes over all threads, and what was not kept is counted", () => {
    const bytes = event(1).line.length;
    const held = holding({ maxBytes: 3 * bytes });
    for (let n = 1; n <= 2; n += 1) held.hold("first", event(n));
    for (let n = 1; n <= 4; n += 1) held.hold("second", event(n));
    expect(held.cutOf("second")).toBe(3);
    expect(numbers(held, "first")).toEqual([1, 2]);
    held.hold("second", event(5));
    expect(held.cutOf("second")).toBe(4);
    expect(numbers(held, "second")).toEqual([1]);
    held.hold("second", event(6));
    expect(numbers(held, "second")).toEqual([6]);
  });

  test("are forgotten when all are cleared, and there is room for others", () => {
    const held = holding({ maxBytes: event(1).line.length });
    held.hold("t", event(1));
    held.clear();
    expect(numbers(held, "t")).toEqual([]);
    held.hold("t", event(2));
    expect(numbers(held, "t")).toEqual([2]);
  });
});
