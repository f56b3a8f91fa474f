import { describe, expect, test } from "vitest";
import { ByteSet } from "./byte-set.ts";
import { explore, memberOfCircle, type Model } from "./explorer.ts";

/** A counter that can be raised by one or doubled, up to a limit. */
function counter(limit: number, more: Partial<Model<number>> = {}): Model<number> {
  return {
    initial: 1,
    encode: (state) => Uint8Array.of(state & 255, state >> 8),
    decode: ([low, high]) => (low ?? 0) + (high ?? 0) * 256,
    steps: (state) =>
      [
        { label: "one more", epoch: 0, due: true, next: state + 1 },
        { label: "twice", epoch: 0, due: false, next: state * 2 },
      ].filter(({ next }) => next <= limit),
    breachOf: () => undefined,
    breachAtRest: () => undefined,
    ...more,
  };
}

describe("the explorer", () => {
  test("visits every state once, and finds where nothing is due", () => {
    const { states, steps, atRest, breach } = explore(counter(5_000));
    expect({ states, steps, atRest, breach }).toEqual({
      states: 5_000,
      steps: 4_999 + 2_500,
      atRest: 1,
      breach: undefined,
    });
  });

  test("tells a shortest way to a breach", () => {
    const breachOf = (state: number): string | undefined => (state === 10 ? "ten" : undefined);
    expect(explore(counter(20, { breachOf })).breach).toEqual({
      what: "ten",
      trace: ["one more", "twice", "one more", "twice"],
    });
  });

  test("judges the state in which nothing is due", () => {
    const breachAtRest = (state: number): string => `rests at ${state}`;
    expect(explore(counter(20, { breachAtRest })).breach?.what).toBe("rests at 20");
  });

  test("notices what never comes to rest", () => {
    const steps: Model<number>["steps"] = (state) => [
      { label: "round", epoch: 0, due: true, next: (state + 1) % 5 },
    ];
    expect(explore(counter(5, { steps })).breach?.what).toContain("circle");
  });

  test("does not take waiting for a circle", () => {
    const steps: Model<number>["steps"] = (state) => [
      { label: "wait", epoch: 0, due: true, next: state },
    ];
    expect(explore(counter(5, { steps }))).toMatchObject({ atRest: 1, breach: undefined });
  });
});

test("a circle is found wherever it hangs on", () => {
  expect(memberOfCircle(4, [0, 1, 2], [1, 2, 3])).toBeUndefined();
  expect(memberOfCircle(4, [0, 1, 2, 3], [1, 2, 3, 2])).toBe(2);
});

test("a set of bytes numbers what is new and knows what is old", () => {
  const set = new ByteSet(3);
  const three = (n: number): Uint8Array => Uint8Array.of(n & 255, (n >> 8) & 255, n >> 16);
  for (let each = 0; each < 20_000; each += 1) expect(set.add(three(each * 7))).toBe(each);
  for (let each = 0; each < 20_000; each += 1) expect(set.add(three(each * 7))).toBe(each);
  expect(set.size).toBe(20_000);
  expect([...set.at(12_345)]).toEqual([...three(12_345 * 7)]);
});
