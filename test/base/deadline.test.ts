import { describe, expect, test, vi } from "vitest";
import {
  Deadline,
  durationMs,
  monotonicMs,
  pause,
  startTimer,
  timeoutSignal,
} from "../../src/base/deadline.ts";

const never = new Promise<never>(() => {});
const late = (): Error => new Error("late");

function timers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
}

describe("a race against a deadline", () => {
  test("is won by work that ends in time, and leaves no timer behind", async () => {
    const before = timers();
    expect(await Deadline.after(60_000).race(Promise.resolve(7), late)).toBe(7);
    const failing = Promise.reject(new Error("broken"));
    await expect(Deadline.after(60_000).race(failing, late)).rejects.toThrow("broken");
    expect(timers()).toBe(before);
  });

  test("is lost by work that does not, no sooner than the deadline", async () => {
    const startedAt = monotonicMs();
    await expect(Deadline.after(20).race(never, late)).rejects.toThrow("late");
    expect(monotonicMs() - startedAt).toBeGreaterThanOrEqual(19);
  });

  test("is won by work that was done already, even after the deadline", async () => {
    expect(await Deadline.after(-1).race(Promise.resolve(7), late)).toBe(7);
  });

  test("without an end waits for the work alone, and needs no timer", async () => {
    const before = timers();
    const work = Deadline.never().race(pause(5), late);
    expect(timers()).toBe(before + 1);
    await work;
  });

  test("an expiry that loses and work that fails later disturb nobody", async () => {
    let fail!: (error: Error) => void;
    const work = new Promise((_resolve, reject) => (fail = reject));
    await expect(Deadline.after(0).race(work, late)).rejects.toThrow("late");
    fail(new Error("nobody asks any more"));
    await pause(1);
  });
});

describe("a budget that is passed down", () => {
  test("is never longer than what is left of the whole", () => {
    const whole = Deadline.after(50);
    expect(whole.within(10_000).remainingMs).toBeLessThanOrEqual(50);
    expect(whole.within(5).remainingMs).toBeLessThanOrEqual(5);
    expect(Deadline.never().within(5).remainingMs).toBeLessThanOrEqual(5);
    expect(Deadline.never().within(Infinity).expired).toBe(false);
  });

  test("is spent, and never negative", () => {
    const spent = Deadline.after(-5);
    expect(spent.remainingMs).toBe(0);
    expect(spent.expired).toBe(true);
  });

  test("does not follow the wall clock", () => {
    const deadline = Deadline.after(1_000);
    vi.useFakeTimers({ now: Date.now() + 3_600_000, toFake: ["Date"] });
    try {
      expect(deadline.expired).toBe(false);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("a timer", () => {
  const LONGEST_OF_NODE_MS = 2 ** 31 - 1;

  test("F15 F112: runs as long as it was asked to, beyond what one timer of Node can", () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      let fired = 0;
      startTimer(2 * LONGEST_OF_NODE_MS + 5, () => (fired += 1));
      for (const ms of [1_000, LONGEST_OF_NODE_MS - 1_000, LONGEST_OF_NODE_MS]) {
        vi.advanceTimersByTime(ms);
        expect(fired).toBe(0);
      }
      vi.advanceTimersByTime(5);
      expect(fired).toBe(1);
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  test("F112: can be stopped in each of its parts", () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      let fired = 0;
      for (const ms of [10, LONGEST_OF_NODE_MS + 10]) {
        const timer = startTimer(2 * LONGEST_OF_NODE_MS, () => (fired += 1));
        vi.advanceTimersByTime(ms);
        timer.stop();
      }
      expect(vi.getTimerCount()).toBe(0);
      expect(fired).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  test("F112: never fires when it is infinite, and is refused without a number", () => {
    const before = timers();
    startTimer(Infinity, () => expect.unreachable()).stop();
    expect(timers()).toBe(before);
    expect(() => startTimer(Number.NaN, () => {})).toThrow(RangeError);
  });

  test("F112: a signal of a very long time-out is not aborted at once", async () => {
    const signals = [1e12, Infinity].map(timeoutSignal);
    await pause(5);
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, false]);
    const short = timeoutSignal(1);
    await new Promise((resolve) => short.addEventListener("abort", resolve));
  });

  test("F112: a race against a very distant deadline is not lost at once", async () => {
    for (const ms of [1e12, Infinity]) {
      expect(await Deadline.after(ms).race(pause(5), late)).toBeUndefined();
    }
  });
});

describe("a duration that enters", () => {
  test("F112: may be of any length, and infinite", () => {
    expect(durationMs(0, "x")).toBe(0);
    expect(durationMs(2_592_000_000, "x")).toBe(2_592_000_000);
    expect(JSON.parse(JSON.stringify(durationMs(Infinity, "x")))).toBe(Number.MAX_SAFE_INTEGER);
  });

  test.each([Number.NaN, -1, -Infinity, "7", null, undefined])(
    "F112: cannot be %s: the error says so and names it",
    (ms) => {
      expect(() => durationMs(ms, "timeoutMs")).toThrow(
        expect.objectContaining({
          kind: "usage",
          message: `timeoutMs is ${String(ms)}, which is no number of milliseconds.`,
        }),
      );
    },
  );
});

describe("a pause", () => {
  test("ends at once when it is aborted, and leaves nothing behind", async () => {
    const before = timers();
    const stop = new AbortController();
    const paused = pause(60_000, stop.signal);
    stop.abort();
    await paused;
    await pause(60_000, stop.signal);
    expect(timers()).toBe(before);
  });
});
