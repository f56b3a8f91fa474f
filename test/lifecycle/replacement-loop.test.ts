import { describe, expect, test } from "vitest";
import {
  MAX_REPLACEMENTS_VARIABLE,
  mostReplacementsIn,
  ON_REQUEST,
  replacementLoopIn,
  type Supersession,
} from "../../src/lifecycle/replacement-loop.ts";

const NOW = Date.parse("2030-01-02T03:00:00.000Z");

function claim(agoMs: number, supersedes?: string): Supersession {
  const claimedAt = new Date(NOW - agoMs).toISOString();
  return supersedes === undefined ? { claimedAt } : { claimedAt, supersedes };
}

/** One a second, the newest now. */
function row(
  count: number,
  supersedes: string | undefined = "it refuses",
  everyMs = 1_000,
): Supersession[] {
  return Array.from({ length: count }, (_, place) => claim(place * everyMs, supersedes));
}

describe("replacements in a row (F124)", () => {
  test("ten within a minute lead to a pause until the first of them is a minute old", () => {
    expect(replacementLoopIn(row(9), NOW, false)).toBeUndefined();
    expect(replacementLoopIn(row(10), NOW, false)).toMatchObject({ count: 10, waitMs: 51_000 });
    expect(replacementLoopIn(row(10), NOW + 50_999, false)?.waitMs).toBe(1);
    expect(replacementLoopIn(row(10), NOW + 51_000, false)).toBeUndefined();
  });

  test("twenty within ten minutes go on at one a minute", () => {
    const slow = row(20, "it refuses", 25_000);
    expect(replacementLoopIn(slow.slice(0, 19), NOW, false)).toBeUndefined();
    expect(replacementLoopIn(slow, NOW, false)?.waitMs).toBe(60_000);
    expect(replacementLoopIn(slow, NOW + 59_999, false)?.waitMs).toBe(1);
    expect(replacementLoopIn(slow, NOW + 60_000, false)).toBeUndefined();
    expect(replacementLoopIn(row(20, "it refuses", 32_000), NOW, false)).toBeUndefined();
  });

  test("end with a broker that replaced none", () => {
    const claims = [...row(9), claim(9_500), ...row(9)];
    expect(replacementLoopIn(claims, NOW, false)).toBeUndefined();
  });

  test("on request are allowed twice as often, and do not keep others from a broker", () => {
    const asked = row(19, ON_REQUEST);
    expect(replacementLoopIn(asked, NOW, false)).toBeUndefined();
    expect(replacementLoopIn(asked, NOW, true)).toBeUndefined();
    expect(replacementLoopIn(row(20, ON_REQUEST), NOW, true)?.count).toBe(20);
    expect(replacementLoopIn([...row(10, ON_REQUEST), ...row(10)], NOW, true)?.count).toBe(20);
    expect(replacementLoopIn([...row(10, ON_REQUEST), ...row(9)], NOW, false)).toBeUndefined();
  });

  test("name their reasons, the newest first", () => {
    const claims = [claim(0, "newest"), ...row(10, "older")];
    expect(replacementLoopIn(claims, NOW, false)?.reasons.slice(0, 2)).toEqual(["newest", "older"]);
  });

  test("lock nobody out after the clock was set back, nor with a time that is none", () => {
    expect(replacementLoopIn(row(10), NOW - 3_600_000, false)).toBeUndefined();
    const odd = row(10).map((each) => ({ ...each, claimedAt: "never" }));
    expect(replacementLoopIn(odd, NOW, false)).toBeUndefined();
  });

  test("are limited by what the environment says, and by nothing where it says 0", () => {
    expect(replacementLoopIn(row(3), NOW, false, 3)?.count).toBe(3);
    expect(replacementLoopIn(row(20), NOW, false, 0)).toBeUndefined();
    expect(mostReplacementsIn({})).toBe(10);
    expect(mostReplacementsIn({ [MAX_REPLACEMENTS_VARIABLE]: "" })).toBe(10);
    expect(mostReplacementsIn({ [MAX_REPLACEMENTS_VARIABLE]: "0" })).toBe(0);
    for (const odd of ["-1", "1.5", "many", " 3"]) {
      expect(() => mostReplacementsIn({ [MAX_REPLACEMENTS_VARIABLE]: odd })).toThrow(
        MAX_REPLACEMENTS_VARIABLE,
      );
    }
  });
});
