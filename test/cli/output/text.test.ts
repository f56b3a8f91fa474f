import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ago, bytes, counted, duration, grouped } from "../../../src/cli/output/amounts.ts";
import { printable, printableLine } from "../../../src/cli/output/printable.ts";
import { truncate, widthOf, wrap } from "../../../src/cli/output/width.ts";

describe("text of others", () => {
  test("keeps its lines and loses its power over the terminal", () => {
    expect(printable("a\r\nb\tc\u001b[2J\u0007\u009b1m\u007f\r")).toBe(
      "a\nb\tc\\x1b[2J\\x07\\x9b1m\\x7f\\x0d",
    );
    expect(printable("if (\u202e admin)")).toBe("if (\\u202e admin)");
    expect(printableLine("  a\n\n b\u2028c\u001b ")).toBe("a b c\\x1b");
  });

  test("never has a control character left but tab and line feed", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(printable(text)).not.toMatch(/(?![\t\n])[\p{Cc}\p{Bidi_Control}]/u);
        expect(printableLine(text)).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u);
      }),
    );
  });
});

describe("columns", () => {
  test.each([
    ["abc", 3],
    ["漢字", 4],
    ["한국어", 6],
    ["é", 1],
    ["e\u0301", 1],
    ["🙂", 2],
    ["✓ ok · …", 8],
    ["✅ ❌ ✨ ⚡ ⏳ 🟢", 17],
    ["👨‍👩‍👧", 2],
    ["🇩🇪", 2],
    ["❤️", 2],
  ])("%s takes %i (F165)", (text, columns) => {
    expect(widthOf(text)).toBe(columns);
  });

  test("a text that does not fit ends with an ellipsis", () => {
    expect(truncate("abcdef", 6)).toBe("abcdef");
    expect(truncate("abcdef", 5)).toBe("abcd…");
    expect(truncate("漢字漢字", 5)).toBe("漢字…");
    expect(truncate("abc", 0)).toBe("");
  });

  test("a line of a megabyte is wrapped in a time that grows with its length only (F170)", () => {
    // Processor time of this process: the time on the clock grows with what else the machine does.
    const time = (length: number): number => {
      const start = process.cpuUsage();
      expect(wrap("x ".repeat(length / 2), 80)).toHaveLength(Math.ceil(length / 80));
      return process.cpuUsage(start).user / 1_000;
    };
    time(100_000);
    const shorter = Math.min(time(100_000), time(100_000), time(100_000));
    // Eight times as long: a quadratic layout takes 64 times as long.
    expect(time(800_000)).toBeLessThan(Math.max(5, shorter) * 32);
  });

  test("rows break at spaces, and inside words only where they must", () => {
    expect(wrap("one two three", 8)).toEqual(["one two", "three"]);
    expect(wrap("abcdefghij kl", 4)).toEqual(["abcd", "efgh", "ij", "kl"]);
    expect(wrap("a\n\nb", 4)).toEqual(["a", "", "b"]);
  });

  test("no row is too wide, and nothing but white space is lost", () => {
    const text = fc.string({ unit: fc.constantFrom("a", "漢", " ", "\n", "🙂", "e\u0301") });
    fc.assert(
      fc.property(text, fc.integer({ min: 2, max: 20 }), (text, columns) => {
        const rows = wrap(text, columns);
        for (const row of rows) expect(widthOf(row)).toBeLessThanOrEqual(columns);
        expect(rows.join("").replace(/\s/g, "")).toBe(text.replace(/\s/g, ""));
        expect(widthOf(truncate(text, columns))).toBeLessThanOrEqual(columns);
      }),
      {
        examples: [
          [" a漢", 2],
          ["ae\u0301   ", 2],
        ],
        numRuns: 1_000,
      },
    );
  });
});

describe("amounts", () => {
  test.each([
    [0, "0.0 s"],
    [3.2, "4 ms"],
    [300, "0.3 s"],
    [9_949, "9.9 s"],
    [12_400, "12 s"],
    [59_700, "1 min 00 s"],
    [185_000, "3 min 05 s"],
    [3_599_700, "1 h 00 min"],
    [8_000_000, "2 h 13 min"],
    [273_600_000, "3 d 04 h"],
  ])("%i ms is %s", (ms, words) => {
    expect(duration(ms)).toBe(words);
  });

  test("others", () => {
    expect([ago(12), ago(2_345)]).toEqual(["12 ms ago", "2.3 s ago"]);
    expect([bytes(812), bytes(45_230_000), bytes(999_600)]).toEqual(["812 B", "45.2 MB", "1.0 MB"]);
    expect([grouped(1_234_567), grouped(12)]).toEqual(["1,234,567", "12"]);
    expect([counted(1, "turn"), counted(2_000, "turn")]).toEqual(["1 turn", "2,000 turns"]);
  });
});

describe("text that cannot be seen", () => {
  test.each([
    ["a zero-width space", "g\u200bit", "g\\u200bit"],
    ["a zero-width joiner between letters of a command", "g\u200dit", "g\\u200dit"],
    ["a tag character", "a\u{e0041}b", "a\\u{e0041}b"],
    ["a line separator", "a\u2028b", "a\\u2028b"],
    ["a paragraph separator", "a\u2029b", "a\\u2029b"],
    ["a soft hyphen", "a\u00adb", "a\\xadb"],
    ["a word joiner", "a\u2060b", "a\\u2060b"],
    ["a byte-order mark", "\ufeffa", "\\ufeffa"],
    ["a variation selector on a letter", "a\ufe0fb", "a\\ufe0fb"],
    ["a variation selector of the supplement", "a\u{e0100}b", "a\\u{e0100}b"],
    ["a Hangul filler", "a\u3164b", "a\\u3164b"],
    ["half of a character", "a\ud800b", "a\\ud800b"],
    ["a direction override", "a\u202eb", "a\\u202eb"],
    ["an interlinear annotation", "a\ufff9b", "a\\ufff9b"],
  ])("is escaped: %s (F150)", (_what, text, shown) => {
    expect(printable(text)).toBe(shown);
  });

  test.each(["👨‍👩‍👧 ❤️ ✅", "می\u200cخواهم", "क्\u200dष", "café naïve Ω 漢字"])(
    "is kept where a word or a picture is spelt with it: %s (F150)",
    (text) => expect(printable(text)).toBe(text),
  );
});
