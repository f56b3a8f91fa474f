import { expect, test } from "vitest";
import { Tally } from "../../src/broker/tally.ts";

const HOUR_MS = 3_600_000;
const process = (rssBytes: number, descriptors: number | null) => ({
  rssBytes,
  descriptors,
  descriptorLimit: 100,
});

test("S13: what was seen stands under the age that the broker had then", () => {
  const tally = new Tally();
  tally.sessionOpened();
  tally.firstAnswer(54.4);
  tally.turnStarted();
  tally.turnEnded({ status: "completed" }, 0);
  tally.turnEnded({ status: "failed", kind: "usageLimitExceeded", transport: false }, 1);
  tally.turnEnded({ status: "failed", kind: "other", transport: true }, 1.5 * HOUR_MS);
  tally.turnEnded({ status: "failed", kind: "other", transport: false }, 1.9 * HOUR_MS);
  tally.turnEnded({ status: "interrupted" }, 1.9 * HOUR_MS);
  tally.turnEnded({ status: "lost" }, 7 * HOUR_MS);
  const none = { completed: 0, interrupted: 0, lost: 0, failed: {}, peakRssBytes: 0 };
  expect(tally.figures()).toEqual({
    epochs: 1,
    sessions: 1,
    turnsStarted: 1,
    ages: [
      { ...none, fromMs: 0, completed: 1, failed: { usageLimitExceeded: 1 } },
      { ...none, fromMs: HOUR_MS, interrupted: 1, failed: { other: 2 } },
      { ...none, fromMs: 6 * HOUR_MS, lost: 1 },
    ],
    peaks: { rssBytes: 0, brokerRssBytes: 0, descriptors: 0, brokerDescriptors: 0, descendants: 0 },
    firstAnswerMs: 54,
  });
});

test("S13: of what is used, the most is kept, over all and for each age", () => {
  const tally = new Tally();
  tally.used(
    {
      broker: process(10, 5),
      appServer: process(100, 50),
      descendants: { count: 2, rssBytes: 1_000 },
    },
    0,
  );
  tally.used({ broker: process(20, null), appServer: null, descendants: null }, HOUR_MS);
  const { ages, peaks } = tally.figures();
  expect(ages.map(({ fromMs, peakRssBytes }) => [fromMs, peakRssBytes])).toEqual([
    [0, 1_110],
    [HOUR_MS, 20],
  ]);
  expect(peaks).toEqual({
    rssBytes: 1_110,
    brokerRssBytes: 20,
    descriptors: 50,
    brokerDescriptors: 5,
    descendants: 2,
  });
});
