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

  test.each([-1, Number.NaN])("F112: %d ms is refused", (maxAgeMs) => {
    expect(() => limitsOf({ maxAgeMs }, {})).toThrow(/no number of milliseconds/);
  });
});

describe("a limit that is a duration", () => {
  test.each(["maxAgeMs", "idleTimeoutMs", "drainTimeoutMs", "answerTimeoutMs"] as const)(
    "F112: %s may be infinite, and is so for the broker too, which reads it as JSON",
    (name) => {
      const limits = limitsOf({ [name]: Infinity }, {});
      const read = JSON.parse(JSON.stringify(limits)) as typeof limits;
      expect(read[name]).toBe(Number.MAX_SAFE_INTEGER);
    },
  );
});

describe("the budgets", () => {
  test.each([
    [{ maxMemoryBytes: -1 }, "bytes"],
    [{ maxMemoryBytes: Number.NaN }, "bytes"],
    [{ maxDescriptorPercent: 101 }, "percent"],
    [{ maxDescriptorPercent: -1 }, "percent"],
    [{ maxDescendants: Number.POSITIVE_INFINITY }, "processes"],
    [{ maxTransportFailures: -5 }, "turns"],
    [{ minWearAgeMs: -1 }, "milliseconds"],
  ])("F90 F96: %j is refused with a message", (asked, unit) => {
    const [name] = Object.keys(asked);
    expect(() => limitsOf(asked, {})).toThrow(
      new RegExp(`^${name ?? ""} is .* no number of ${unit}`),
    );
  });

  test("F90 F96: are there unless they are turned off with 0", () => {
    const names = ["maxMemoryBytes", "maxDescriptorPercent", "maxDescendants"] as const;
    for (const name of names) {
      expect(limitsOf({}, {})[name]).toBeGreaterThan(0);
      expect(limitsOf({ [name]: 0 }, {})[name]).toBe(0);
    }
  });
});
