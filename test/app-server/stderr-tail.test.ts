import * as fc from "fast-check";
import { expect, test } from "vitest";
import { StderrTail } from "../../src/app-server/stderr-tail.ts";

function tailOf(...chunks: (string | Buffer)[]): string {
  const tail = new StderrTail();
  for (const chunk of chunks) tail.push(Buffer.from(chunk as string));
  return tail.text;
}

test("keeps the last 40 lines", () => {
  const lines = Array.from({ length: 500 }, (_, index) => `line ${index}`);
  expect(tailOf(`${lines.join("\n")}\n`).split("\n")).toEqual(lines.slice(-40));
});

test("keeps whole lines of 4 KiB in all", () => {
  const lines = Array.from({ length: 30 }, (_, index) => String(index).padStart(500, "."));
  expect(tailOf(lines.join("\n")).split("\n")).toEqual(lines.slice(-8));
});

test("keeps the end of a line that is too long by itself, cut between characters", () => {
  const tail = tailOf("äöü€😀".repeat(5_000));
  expect(Buffer.byteLength(tail)).toBeLessThanOrEqual(4096);
  expect(tail).toMatch(/^…[äöü€😀]+$/u);
  expect(tail).not.toContain("\uFFFD");
  expect(tail.endsWith("äöü€😀")).toBe(true);
});

test("a last line without its end counts, an empty one does not", () => {
  expect(tailOf("one\n\n", "two\r\n  \nth", "ree")).toBe("one\ntwo\nthree");
  expect(tailOf("one\n")).toBe("one");
  expect(tailOf()).toBe("");
});

test("colours are left out, even when they are cut in two", () => {
  expect(tailOf("\u001B[2m2026\u001B[0m \u001B[3", "1mERROR\u001B[0m x\n")).toBe("2026 ERROR x");
});

test("how the bytes were cut into chunks makes no difference", () => {
  const text = fc.string({ unit: "grapheme", maxLength: 300 });
  fc.assert(
    fc.property(
      fc.array(text, { maxLength: 60 }),
      fc.infiniteStream(fc.integer({ min: 1, max: 70 })),
      (lines, sizes) => {
        const bytes = Buffer.from(lines.join("\n"));
        const chunks: Buffer[] = [];
        for (let at = 0; at < bytes.length;) {
          const next = at + (sizes.next().value ?? 1);
          chunks.push(bytes.subarray(at, next));
          at = next;
        }
        const tail = tailOf(...chunks);
        expect(tail).toBe(tailOf(bytes));
        expect(Buffer.byteLength(tail)).toBeLessThanOrEqual(4096);
        expect(tail.split("\n").length).toBeLessThanOrEqual(40);
      },
    ),
    { numRuns: 200 },
  );
});
