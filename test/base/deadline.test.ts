import { describe, expect, test, vi } from "vitest";
import { clampTimer, Deadline, monotonicMs, pause } from "../../src/base/deadline.ts";

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
  test("F15: is never so long that Node would fire it at once", () => {
    expect(clampTimer(1e12)).toBe(2 ** 31 - 1);
    expect(clampTimer(Infinity)).toBe(2 ** 31 - 1);
    expect(clampTimer(-3)).toBe(0);
    expect(clampTimer(0.2)).toBe(1);
  });
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
