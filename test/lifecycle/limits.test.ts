import { describe, expect, test } from "vitest";
import { limitsOf, MAX_AGE_VARIABLE } from "../../src/lifecycle/limits.ts";

const HOUR_MS = 3_600_000;

describe("the maximum age", () => {
  test("S2: is six hours by default, what the environment says, and what was asked for", () => {
    expect(limitsOf({}, {}).maxAgeMs).toBe(6 * HOUR_MS);
    expect(limitsOf({}, { [MAX_AGE_VARIABLE]: "1.5" }).maxAgeMs).toBe(1.5 * HOUR_MS);
    expect(limitsOf({}, { [MAX_AGE_VARIABLE]: "0" }).maxAgeMs).toBe(0);
    expect(limitsOf({ maxAgeMs: 7 }, { [MAX_AGE_VARIABLE]: "2" }).maxAgeMs).toBe(7);
  });

  test.each(["soon", "-1", " ", "NaN", "Infinity", "1h"])(
    "S2: %j is refused with a message",
    (value) => {
      expect(() => limitsOf({}, { [MAX_AGE_VARIABLE]: value })).toThrow(/no number of hours/);
    },
  );

  test.each([-1, Number.NaN, Number.POSITIVE_INFINITY])("%d ms is refused", (maxAgeMs) => {
    expect(() => limitsOf({ maxAgeMs }, {})).toThrow(/no number of milliseconds/);
  });
});
