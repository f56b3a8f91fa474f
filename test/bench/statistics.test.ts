import { expect, test } from "vitest";
import { inTurn } from "../../bench/measure/in-turn.ts";
import { pairwise, quantile, ratio, spreadOf } from "../../bench/measure/statistics.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";

guardAgainstLeaks();

test("the median is between the two in the middle, and one outlier does not move it", () => {
  expect(spreadOf([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3, count: 3 });
  expect(spreadOf([4, 1, 2, 1_000])).toEqual({ median: 3, min: 1, max: 1_000, count: 4 });
  expect(quantile([0, 10], 0.99)).toBeCloseTo(9.9);
});

test("a machine that gets twice as slow in the middle does not change a ratio of pairs", () => {
  expect(pairwise([1, 1, 2, 2], [2, 2, 4, 4], ratio)).toEqual([0.5, 0.5, 0.5, 0.5]);
});

test("probes take turns, every second round backwards, and warm-up rounds do not count", async () => {
  const done: string[] = [];
  const probe = (name: string) => () => Promise.resolve(done.push(name));
  const results = await inTurn(2, { a: probe("a"), b: probe("b") }, 1);
  expect(done.join("")).toBe("baabba");
  expect(results).toEqual({ a: [3, 6], b: [4, 5] });
});
