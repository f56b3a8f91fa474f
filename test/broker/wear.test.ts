import { describe, expect, test } from "vitest";
import type { Usage } from "../../src/base/usage.ts";
import {
  isWorthASuccessor,
  overBudget,
  patienceMs,
  worksInVain,
  type WornOut,
} from "../../src/broker/wear.ts";
import type { Wear } from "../../src/lifecycle/epoch-file.ts";
import { DEFAULT_LIMITS, type BrokerLimits } from "../../src/lifecycle/start-protocol.ts";

const limits: BrokerLimits = {
  ...DEFAULT_LIMITS,
  maxMemoryBytes: 1_000,
  maxDescriptorPercent: 50,
  maxDescendants: 3,
  maxTransportFailures: 2,
};

const calm: Usage = {
  broker: { rssBytes: 100, descriptors: 10, descriptorLimit: 20 },
  appServer: { rssBytes: 200, descriptors: 40, descriptorLimit: 80 },
  descendants: { count: 3, rssBytes: 700 },
};

const unknown = { rssBytes: null, descriptors: null, descriptorLimit: null };

describe("F90 F96: what a broker uses", () => {
  test("is within its budget up to the very limits", () => {
    expect(overBudget(calm, limits)).toBeUndefined();
  });

  test.each([
    ["memory", { broker: { ...calm.broker, rssBytes: 101 } }, "over budget: 0 MB of memory"],
    ["memory", { appServer: { ...unknown, rssBytes: 201 } }, "over budget: 0 MB of memory"],
    ["memory", { descendants: { count: 1, rssBytes: 701 } }, "over budget: 0 MB of memory"],
    [
      "descriptors",
      { appServer: { rssBytes: 0, descriptors: 41, descriptorLimit: 80 } },
      "over budget: the app-server has 41 of 80 descriptors open; the limit is 50 %",
    ],
    [
      "descriptors",
      { broker: { rssBytes: 0, descriptors: 11, descriptorLimit: 20 } },
      "over budget: the broker has 11 of 20 descriptors open; the limit is 50 %",
    ],
    [
      "descendants",
      { descendants: { count: 4, rssBytes: 0 } },
      "over budget: the app-server has started 4 processes that still run; the limit is 3",
    ],
  ] as const)("is over its budget of %s: %j", (wear, more, reason) => {
    const worn = overBudget({ ...calm, ...more }, limits);
    expect(worn?.wear).toBe(wear);
    expect(worn?.reason).toContain(reason);
  });

  test("is told in megabytes", () => {
    const usage = { ...calm, appServer: { ...unknown, rssBytes: 5_100_000_000 } };
    expect(overBudget(usage, DEFAULT_LIMITS)?.reason).toBe(
      "over budget: 5100 MB of memory; the limit is 4000 MB",
    );
  });

  test.each(["maxMemoryBytes", "maxDescriptorPercent", "maxDescendants"] as const)(
    "is not limited by a %s of 0",
    (name) => {
      const much: Usage = {
        broker: { rssBytes: 1e15, descriptors: 1e6, descriptorLimit: 1e6 },
        appServer: { rssBytes: 1e15, descriptors: 1e6, descriptorLimit: 1e6 },
        descendants: { count: 1e6, rssBytes: 1e15 },
      };
      const wear = overBudget(much, limits)?.wear;
      expect(wear).toBeDefined();
      const off = {
        ...DEFAULT_LIMITS,
        maxMemoryBytes: 0,
        maxDescriptorPercent: 0,
        maxDescendants: 0,
      };
      expect(overBudget(much, off)).toBeUndefined();
      expect(overBudget(much, { ...off, [name]: 1 })).toBeDefined();
    },
  );

  test("is within every budget where the system does not tell", () => {
    const tight = { ...limits, maxMemoryBytes: 1, maxDescriptorPercent: 1, maxDescendants: 1 };
    for (const appServer of [null, unknown]) {
      expect(overBudget({ broker: unknown, appServer, descendants: null }, tight)).toBeUndefined();
    }
    const unlimited = { rssBytes: 0, descriptors: 1e6, descriptorLimit: null };
    expect(overBudget({ ...calm, appServer: unlimited }, limits)).toBeUndefined();
  });
});

describe("turns that do not reach the model", () => {
  test("wear a broker out when there are enough of them in a row", () => {
    expect(worksInVain(1, limits)).toBeUndefined();
    expect(worksInVain(2, limits)).toEqual({
      wear: "transport",
      reason: "2 turns in a row did not reach the model",
    });
    expect(worksInVain(3, limits)).toBeDefined();
    expect(worksInVain(99, { ...limits, maxTransportFailures: 0 })).toBeUndefined();
  });
});

describe("a successor", () => {
  const worn = (wear: Wear): WornOut => ({ wear, reason: "" });

  test("is worth it when the broker is old enough", () => {
    const life = { everReached: false, predecessors: [] };
    expect(isWorthASuccessor(worn("memory"), { ...life, ageMs: 999 }, 1_000)).toBe(false);
    expect(isWorthASuccessor(worn("memory"), { ...life, ageMs: 1_000 }, 1_000)).toBe(true);
    const second = { ...life, predecessors: ["memory" as const] };
    expect(isWorthASuccessor(worn("memory"), { ...second, ageMs: 1_999 }, 1_000)).toBe(false);
    expect(isWorthASuccessor(worn("memory"), { ...second, ageMs: 2_000 }, 1_000)).toBe(true);
  });

  test.each([
    ["transport", ["transport"], false, false],
    ["transport", ["transport"], true, true],
    ["transport", ["memory"], false, true],
    ["transport", [undefined, "transport"], false, true],
    ["transport", [], false, true],
    ["memory", ["transport"], false, true],
  ] as const)(
    "of one worn out by %s after %j, which has reached the model: %s; is worth it: %s",
    (wear, predecessors, everReached, worth) => {
      const life = { ageMs: 1e9, everReached, predecessors };
      expect(isWorthASuccessor(worn(wear), life, 1)).toBe(worth);
    },
  );
});

describe("the age from which wear counts", () => {
  const HOUR_MS = 3_600_000;

  test("doubles with each predecessor in a row that was worn out, and never passes six hours", () => {
    expect(patienceMs(1_000, [])).toBe(1_000);
    expect(patienceMs(1_000, [undefined, "memory"])).toBe(1_000);
    expect(patienceMs(1_000, ["memory"])).toBe(2_000);
    expect(patienceMs(1_000, ["transport", "descriptors", "descendants"])).toBe(8_000);
    expect(patienceMs(1_000, ["memory", undefined, "memory", "memory"])).toBe(2_000);
    expect(
      patienceMs(
        1_000,
        Array.from({ length: 2_000 }, () => "memory" as const),
      ),
    ).toBe(6 * HOUR_MS);
  });

  test("is not put off by a predecessor that was only old", () => {
    expect(patienceMs(1_000, ["age", "memory"])).toBe(1_000);
    expect(patienceMs(1_000, ["memory", "age", "memory"])).toBe(2_000);
  });

  test("is what was asked for where that is longer, or nothing", () => {
    expect(patienceMs(9 * HOUR_MS, ["memory"])).toBe(9 * HOUR_MS);
    expect(patienceMs(0, ["memory", "memory"])).toBe(0);
  });
});
