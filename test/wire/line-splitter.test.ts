import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LineSplitter } from "../../src/wire/line-splitter.ts";

/** Pushes the chunks through and takes down what came out; an oversized line is `null`. */
function split(chunks: readonly Buffer[], maxLineBytes = 1_000): Array<string | null> {
  const seen: Array<string | null> = [];
  const splitter = new LineSplitter(
    {
      onLine: (line) => seen.push(line.toString("latin1")),
      onOversizedLine: () => seen.push(null),
    },
    maxLineBytes,
  );
  for (const chunk of chunks) splitter.push(chunk);
  return seen;
}

function cutAt(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const edges = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)), bytes.length].toSorted(
    (a, b) => a - b,
  );
  return edges.slice(1).map((edge, index) => bytes.subarray(edges[index], edge));
}

const line = fc
  .array(fc.constantFrom("a", '"', "ä", "漢", "😀", "\u2028", "\u2029", "\u0085", "\r", "\v", "\f"))
  .map((parts) => parts.join(""));

describe("a line ends at a line feed and nowhere else (F49)", () => {
  test("at every single byte boundary", () => {
    const text = 'one\u2028"ä漢😀\u2029\n\n\r\u0085two\n';
    const bytes = Buffer.from(text);
    const wanted = text.split("\n").slice(0, -1);
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      const got = split(cutAt(bytes, [cut])).map((each) =>
        Buffer.from(each ?? "", "latin1").toString(),
      );
      expect(got).toEqual(wanted);
    }
    expect(split([...bytes].map((byte) => Buffer.from([byte])))).toEqual(split([bytes]));
  });

  test("for any lines, cut into any pieces", () => {
    fc.assert(
      fc.property(fc.array(line), fc.array(fc.nat(200)), (lines, cuts) => {
        const bytes = Buffer.from(lines.map((each) => `${each}\n`).join(""));
        const wanted = lines.map((each) => Buffer.from(each).toString("latin1"));
        expect(split(cutAt(bytes, cuts))).toEqual(wanted);
      }),
    );
  });

  test("for any bytes, UTF-8 or not", () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.array(fc.nat(50)), (raw, cuts) => {
        const bytes = Buffer.from(raw);
        const wanted = bytes.toString("latin1").split("\n").slice(0, -1);
        expect(split(cutAt(bytes, cuts))).toEqual(wanted);
      }),
    );
  });
});

describe("a line beyond the limit", () => {
  test("F99: is told once and dropped, and what follows it goes on", () => {
    const lengths = fc.array(fc.integer({ min: 0, max: 12 }));
    fc.assert(
      fc.property(lengths, fc.array(fc.nat(100)), (all, cuts) => {
        const bytes = Buffer.from(all.map((length) => `${"x".repeat(length)}\n`).join(""));
        const wanted = all.map((length) => (length > 6 ? null : "x".repeat(length)));
        expect(split(cutAt(bytes, cuts), 6)).toEqual(wanted);
      }),
    );
  });

  test("is told as soon as it is known, and is not kept", () => {
    const seen: string[] = [];
    const splitter = new LineSplitter(
      { onLine: () => seen.push("line"), onOversizedLine: (limit) => seen.push(`over ${limit}`) },
      6,
    );
    splitter.push(Buffer.from("123456"));
    expect(seen).toEqual([]);
    expect(splitter.unfinishedBytes).toBe(6);
    splitter.push(Buffer.from("7"));
    expect(seen).toEqual(["over 6"]);
    splitter.push(Buffer.alloc(1_000));
    expect(splitter.unfinishedBytes).toBe(0);
  });
});

test("F99: of a line beyond the limit the beginning is told, in whatever pieces it comes", () => {
  const line = Buffer.from(`{"id":7,"result":"${"x".repeat(5_000)}"}\n`);
  fc.assert(
    fc.property(fc.array(fc.nat(5_000)), (cuts) => {
      const heads: string[] = [];
      const splitter = new LineSplitter(
        { onLine: () => {}, onOversizedLine: (_limit, head) => heads.push(head.toString()) },
        2_000,
      );
      for (const part of cutAt(line, cuts)) splitter.push(part);
      expect(heads).toEqual([line.toString().slice(0, 1_024)]);
    }),
  );
});

test("a last line without its end is not delivered: nobody can tell whether it is whole", () => {
  expect(split([Buffer.from('{"a":1}\n{"b":2}')])).toEqual(['{"a":1}']);
});
