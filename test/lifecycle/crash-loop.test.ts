import { describe, expect, test } from "vitest";
import { BrokerError } from "../../src/base/errors.ts";
import { crashLoopIn, isCrash, type CrashLoop } from "../../src/lifecycle/crash-loop.ts";
import type { EndedRecord } from "../../src/lifecycle/epoch-file.ts";
import { endedRecord } from "./records.ts";

const NOW = Date.parse("2030-01-02T03:00:00.000Z");
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const error = new BrokerError("appServerStartFailed", "It would not start.").toJSON();

function crash(agoMs: number, change: Partial<EndedRecord> = {}): EndedRecord {
  const at = new Date(NOW - agoMs).toISOString();
  return endedRecord({ abnormal: true, error, at, reason: `${agoMs} ms ago`, ...change });
}

/** The newest ended that long ago, and each one before a second earlier. */
function row(count: number, newestAgoMs = 0): EndedRecord[] {
  return Array.from({ length: count }, (_, place) => crash(newestAgoMs + place * SECOND));
}

/** In the middle of its jitter. */
function loopIn(endings: readonly EndedRecord[], now = NOW): CrashLoop | undefined {
  return crashLoopIn(endings, now, 0.5);
}

describe("a crash loop (F135)", () => {
  test("is five crashes in a row, and not four", () => {
    expect(loopIn(row(4))).toBeUndefined();
    expect(loopIn(row(5))).toEqual({
      count: 5,
      waitMs: 5 * SECOND,
      reasons: ["0 ms ago", "1000 ms ago", "2000 ms ago", "3000 ms ago", "4000 ms ago"],
    });
    expect(loopIn([])).toBeUndefined();
  });

  test("is over when the pause has passed, and no wait is left then", () => {
    expect(loopIn(row(5, 4_999))?.waitMs).toBe(1);
    expect(loopIn(row(5, 5_000))).toBeUndefined();
    expect(loopIn(row(5, 5_001))).toBeUndefined();
  });

  test("doubles its pause with each crash more, up to five minutes", () => {
    const waits = [5, 6, 7, 8, 9, 10, 11, 12, 20].map((count) => loopIn(row(count))?.waitMs);
    const seconds = [5, 10, 20, 40, 80, 160, 300, 300, 300];
    expect(waits).toEqual(seconds.map((each) => each * SECOND));
  });

  test("spreads those who wait over a quarter of the pause on either side", () => {
    const waits = [0, 0.5, 1].map((jitter) => crashLoopIn(row(6), NOW, jitter)?.waitMs);
    expect(waits).toEqual([7_500, 10_000, 12_500]);
    expect(crashLoopIn(row(5, 3_750), NOW, 0)).toBeUndefined();
    expect(crashLoopIn(row(5, 3_750), NOW, 1)?.waitMs).toBe(2_500);
  });

  test("needs the fifth crash within three minutes before the newest", () => {
    const before = row(4);
    expect(loopIn([...before, crash(3 * MINUTE)])?.count).toBe(5);
    expect(loopIn([...before, crash(3 * MINUTE + 1)])).toBeUndefined();
  });

  test("locks nobody out after the clock was set back", () => {
    const newest = Date.parse(row(5)[0]!.at);
    expect(loopIn(row(5), newest - 10 * MINUTE + 5 * SECOND)?.waitMs).toBe(10 * MINUTE);
    expect(loopIn(row(5), newest - 10 * MINUTE + 5 * SECOND - 1)).toBeUndefined();
    expect(loopIn(row(5), newest - 24 * 60 * MINUTE)).toBeUndefined();
  });

  test("does not count past an end in order, a kill, or a cause that has changed", () => {
    const others: Array<Partial<EndedRecord>> = [
      { abnormal: false, error: null },
      { error: null, instance: "i", exit: null },
      { error: null, instance: "i", exit: { code: null, signal: "SIGKILL" } },
    ];
    for (const other of others) {
      const [first, second, ...rest] = row(6);
      expect(loopIn([first!, second!, crash(1_500, other), ...rest])).toBeUndefined();
    }
    const changed = row(6)[3]!;
    const isOfOldCause = (ending: EndedRecord): boolean => ending.at === changed.at;
    expect(crashLoopIn(row(6), NOW, 0.5)?.count).toBe(6);
    expect(crashLoopIn(row(6), NOW, 0.5, isOfOldCause)).toBeUndefined();
    expect(crashLoopIn(row(6), NOW, 0.5, () => true)).toBeUndefined();
  });
});

describe("what counts as a crash (F135)", () => {
  const served = { error: null, instance: "i" } as const;
  const cases: Record<string, [change: Partial<EndedRecord>, expected: boolean]> = {
    "a broker that could not begin to serve": [{}, true],
    "one that died before it listened": [{ error: null }, true],
    "an app-server that exited with a code": [{ ...served, exit: { code: 7, signal: null } }, true],
    "an app-server that a fault of its own has ended": [
      { ...served, exit: { code: null, signal: "SIGSEGV" } },
      true,
    ],
    "an end in order": [{ abnormal: false }, false],
    "a broker that was killed, or whose process is gone": [{ ...served, exit: null }, false],
    "an app-server that was silent, and ended when it was asked to": [
      { ...served, exit: { code: 0, signal: null } },
      false,
    ],
    ...Object.fromEntries(
      ["SIGKILL", "SIGTERM", "SIGINT", "SIGHUP"].map((signal) => [
        `an app-server that got ${signal} from a person or from the system`,
        [{ ...served, exit: { code: null, signal } }, false],
      ]),
    ),
  };
  test.each(Object.entries(cases))("%s", (_what, [change, expected]) => {
    expect(isCrash(crash(0, change))).toBe(expected);
  });
});
