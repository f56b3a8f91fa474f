import { describe, expect, test } from "vitest";
import type { Usage } from "../../src/base/usage.ts";
import { UsageWatch } from "../../src/broker/usage-watch.ts";
import { useFakeClock } from "../support/fake-clock.ts";

const nothing: Usage = {
  broker: { rssBytes: null, descriptors: null, descriptorLimit: null },
  appServer: null,
  descendants: null,
};

describe("looking at what is used", () => {
  const clock = useFakeClock();

  /** @param costMs how long one look takes. */
  function begin(costMs = 0): {
    looks: () => number;
    turns: (running: number) => void;
    watch: UsageWatch;
  } {
    let taken = 0;
    let seen = 0;
    let turns = 0;
    const watch = new UsageWatch(
      () => {
        taken += 1;
        if (costMs > 0) clock.pass(costMs);
        return nothing;
      },
      () => turns > 0,
      () => void (seen += 1),
    );
    watch.begin();
    return {
      watch,
      looks: () => {
        expect(seen).toBeLessThanOrEqual(taken);
        return seen;
      },
      turns: (running) => {
        turns = running;
        watch.workChanged();
      },
    };
  }

  test("happens once a minute while nothing happens", () => {
    const { looks } = begin();
    expect(looks()).toBe(0);
    clock.pass(1_000);
    expect(looks()).toBe(1);
    clock.pass(59_999);
    expect(looks()).toBe(1);
    clock.pass(1);
    expect(looks()).toBe(2);
    clock.pass(600_000);
    expect(looks()).toBe(12);
  });

  test("happens every five seconds while turns run, and at once when the last one has ended", () => {
    const { looks, turns } = begin();
    clock.pass(1_000);
    turns(1);
    turns(2);
    clock.pass(20_000);
    expect(looks()).toBe(5);
    turns(1);
    clock.pass(3_000);
    expect(looks()).toBe(5);
    turns(0);
    expect(looks()).toBe(6);
    clock.pass(59_000);
    expect(looks()).toBe(6);
  });

  test("finds a moment without turns, however fast they follow each other", () => {
    let quiet = 0;
    let turns = 0;
    const watch = new UsageWatch(
      () => nothing,
      () => turns > 0,
      () => void (quiet += turns === 0 ? 1 : 0),
    );
    watch.begin();
    for (let each = 0; each < 100; each += 1) {
      turns = 1;
      watch.workChanged();
      clock.pass(300);
      turns = 0;
      watch.workChanged();
    }
    expect(quiet).toBeGreaterThan(20);
    expect(quiet).toBeLessThan(35);
  });

  test("takes at most a fiftieth of the time, however slow the machine", () => {
    const { looks, turns } = begin(500);
    for (let each = 0; each < 1_000; each += 1) {
      turns(1);
      clock.pass(100);
      turns(0);
    }
    expect(looks()).toBeGreaterThan(1);
    expect(looks()).toBeLessThanOrEqual(5);
  });

  test("is not repeated for whoever asks right after it", () => {
    let taken = 0;
    const watch = new UsageWatch(
      () => {
        taken += 1;
        return nothing;
      },
      () => false,
      () => {},
    );
    for (let each = 0; each < 10; each += 1) watch.current();
    expect(taken).toBe(1);
    clock.pass(1_000);
    watch.current();
    expect(taken).toBe(2);
  });

  test("is over when the broker ends", () => {
    const { looks, turns, watch } = begin();
    watch.stop();
    turns(1);
    turns(0);
    clock.pass(600_000);
    expect(looks()).toBe(0);
  });
});
