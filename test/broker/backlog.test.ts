import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Backlog } from "../../src/broker/backlog.ts";
import { notificationFrame } from "./recording-peer.ts";
import { textLineOf } from "../../src/wire/line.ts";

const frame = (n: number): ReturnType<typeof notificationFrame> => notificationFrame("m", { n });
const all = (): boolean => true;

test("keeps what was told in the order in which it was, and finds that of some threads in it", () => {
  const backlog = new Backlog(10_000);
  const frames = [0, 1, 2, 3].map(frame);
  for (const [n, each] of frames.entries()) backlog.record(n % 2 === 0 ? "even" : "odd", each);
  const texts = (threadId: string): string[] =>
    backlog.of((each) => each === threadId).frames.map(({ line }) => textLineOf(line));
  expect(texts("even")).toEqual([frames[0]?.line, frames[2]?.line]);
  expect(texts("odd")).toEqual([frames[1]?.line, frames[3]?.line]);
  backlog.keep((threadId) => threadId === "odd");
  expect([texts("even").length, texts("odd").length]).toEqual([0, 2]);
  backlog.keep(() => false);
  expect(backlog.isEmpty).toBe(true);
});

test("F39: never has more than its bytes; what it has is the latest, and what it has not is counted", () => {
  const told = fc.array(fc.tuple(fc.constantFrom("a", "b"), fc.nat({ max: 500 })), {
    maxLength: 200,
  });
  fc.assert(
    fc.property(told, fc.integer({ min: 1, max: 2_000 }), (events, maxBytes) => {
      const backlog = new Backlog(maxBytes);
      const texts: string[] = [];
      for (const [threadId, size] of events) {
        const each = notificationFrame("m", { text: "x".repeat(size), n: texts.length });
        texts.push(textLineOf(each.line));
        backlog.record(threadId, each);
      }
      const { frames, cut } = backlog.of(all);
      const kept = frames.map(({ line }) => textLineOf(line));
      expect(kept).toEqual(texts.slice(texts.length - kept.length));
      expect(kept.join("").length).toBeLessThanOrEqual(maxBytes);
      const lost = [...cut.values()].reduce((sum, count) => sum + count, 0);
      expect(lost + kept.length).toBe(texts.length);
    }),
  );
});
