import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  AGES_MS,
  ageFromMs,
  endedIn,
  NO_FIGURES,
  sumOf,
  sumOfAges,
  type AgeFigures,
  type Figures,
} from "../../src/base/figures.ts";

const count = fc.nat(1_000);

const ages: fc.Arbitrary<AgeFigures[]> = fc.uniqueArray(
  fc.record({
    fromMs: fc.constantFrom(...AGES_MS),
    completed: count,
    interrupted: count,
    lost: count,
    failed: fc.dictionary(fc.constantFrom("quota", "other", "toString", "__proto__"), count),
    peakRssBytes: count,
  }),
  { selector: ({ fromMs }) => fromMs },
);

const figures: fc.Arbitrary<Figures> = fc.record({
  epochs: count,
  sessions: count,
  turnsStarted: count,
  ages: ages.map((all) => all.toSorted((a, b) => a.fromMs - b.fromMs)),
  peaks: fc.record({
    rssBytes: count,
    brokerRssBytes: count,
    descriptors: count,
    brokerDescriptors: count,
    descendants: count,
  }),
  firstAnswerMs: fc.option(count, { nil: null }),
});

const ended = ({ ages }: Figures): number => ages.reduce((sum, each) => sum + endedIn(each), 0);

describe("S13: figures of several brokers", () => {
  test("are the same in whatever order and groups they are summed up", () => {
    fc.assert(
      fc.property(figures, figures, figures, (a, b, c) => {
        const plain = JSON.parse(JSON.stringify(sumOf([a, b, c]))) as unknown;
        expect(sumOf([sumOf([a, b]), c])).toEqual(sumOf([a, sumOf([b, c])]));
        expect(sumOf([c, a, b])).toEqual(sumOf([a, b, c]));
        expect(sumOf([a, b, c])).toEqual(plain);
      }),
    );
  });

  test("lose no turn and no failure, and keep the most of what was measured", () => {
    fc.assert(
      fc.property(figures, figures, (a, b) => {
        const sum = sumOf([a, b]);
        expect(ended(sum)).toBe(ended(a) + ended(b));
        expect(sum.epochs).toBe(a.epochs + b.epochs);
        expect(sum.peaks.rssBytes).toBe(Math.max(a.peaks.rssBytes, b.peaks.rssBytes));
        const from = sum.ages.map(({ fromMs }) => fromMs);
        expect(from).toEqual([...new Set(from)].toSorted((x, y) => x - y));
      }),
    );
  });

  test("are nothing where there are none", () => {
    fc.assert(
      fc.property(figures, (one) => {
        expect(sumOf([one])).toEqual(one);
        expect(sumOf([NO_FIGURES, one])).toEqual(one);
      }),
    );
    expect(sumOf([])).toEqual(NO_FIGURES);
    expect(endedIn(sumOfAges([]))).toBe(0);
  });
});

describe("an age", () => {
  test("falls into the part of a life that began last", () => {
    for (const [index, fromMs] of AGES_MS.entries()) {
      const next = AGES_MS[index + 1] ?? Number.MAX_SAFE_INTEGER;
      expect(ageFromMs(fromMs)).toBe(fromMs);
      expect(ageFromMs(next - 1)).toBe(fromMs);
    }
    expect(ageFromMs(-1)).toBe(0);
  });
});
