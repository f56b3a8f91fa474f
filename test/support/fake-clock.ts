import { afterEach, beforeEach, vi } from "vitest";

/** Both clocks that a program has for its waits, stopped for each test of a suite. */
export interface FakeClock {
  /** Lets that time pass, step by step, and everything happen that is due in it. */
  pass(ms: number, stepMs?: number): void;
}

/** To be called at the head of a suite, or of a part of it. */
export function useFakeClock(): FakeClock {
  let now = 0;
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval"] });
    vi.spyOn(process, "hrtime").mockImplementation(() => [0, now * 1e6]);
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.restoreAllMocks();
  });
  return {
    pass(ms, stepMs = ms) {
      for (let left = ms; left > 0; left -= stepMs) {
        now += Math.min(stepMs, left);
        vi.advanceTimersByTime(Math.min(stepMs, left));
      }
    },
  };
}
