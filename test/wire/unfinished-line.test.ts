import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { UnfinishedLine } from "../../src/wire/unfinished-line.ts";

const MIB = 1024 * 1024;
const MAX = 40 * MIB;

describe("an unfinished line", () => {
  test("is the pieces that have come, long or not, and nothing of it is left (F139)", () => {
    const sizes = fc.array(fc.oneof(fc.nat(1_000), fc.nat(6 * MIB)), { maxLength: 6 });
    fc.assert(
      fc.property(sizes, (all) => {
        const line = new UnfinishedLine();
        const pieces = all.map((size, index) => Buffer.alloc(size, `piece ${index};`));
        for (const piece of pieces) line.append(piece, MAX);
        const whole = Buffer.concat(pieces);
        expect(line.bytes).toBe(whole.length);
        expect(line.head(1_000).equals(whole.subarray(0, 1_000))).toBe(true);
        const taken = line.take();
        expect(line.bytes).toBe(0);
        line.append(Buffer.alloc(3 * MIB, "next"), MAX);
        expect(taken.equals(whole)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  test("that came in one piece is that piece", () => {
    const line = new UnfinishedLine();
    const piece = Buffer.alloc(2 * MIB, "x");
    line.append(piece, MAX);
    expect(line.take()).toBe(piece);
  });

  test("gives its memory back at once when it is dropped (F139)", () => {
    const line = new UnfinishedLine();
    const piece = Buffer.alloc(MIB, "x");
    for (let pieces = 0; pieces < 100; pieces += 1) line.append(piece, 128 * MIB);
    const full = process.memoryUsage.rss();
    line.clear();
    expect(full - process.memoryUsage.rss()).toBeGreaterThan(90 * MIB);
  });
});
