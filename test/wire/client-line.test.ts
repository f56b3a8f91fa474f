import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeClientLine } from "../../src/wire/client-line.ts";
import { decodeFrame } from "../../src/wire/frame.ts";

function lineOf(params: unknown): Buffer {
  return Buffer.from(JSON.stringify({ id: 7, method: "m", params }));
}

function nested(levels: number): unknown {
  let value: unknown = 0;
  for (let level = 0; level < levels; level += 1) value = [value];
  return value;
}

describe("a line that the app-server would drop without a word (F12, F48)", () => {
  const halves: Record<string, string> = {
    "a first half": "cut \ud83d",
    "a second half": "\ude00 cut",
    "halves the wrong way round": "\ude00\ud83d",
    "a half after backslashes": "\\\\\ud83d",
  };
  test.each(Object.entries(halves))("has %s of a character in it", (_what, text) => {
    for (const params of [{ text }, { [text]: 1 }, [{ deep: [text] }]]) {
      expect(decodeClientLine(lineOf(params))).toMatchObject({
        kind: "fault",
        id: "7",
        error: { kind: "invalidRequest" },
      });
    }
  });

  test("is nested deeper than its parser goes", () => {
    expect(decodeClientLine(lineOf(nested(127)))).toMatchObject({ kind: "fault", id: "7" });
    expect(decodeClientLine(lineOf(nested(126))).kind).toBe("request");
  });

  test("is answered only if it was a request", () => {
    for (const message of [
      { id: 7, result: "\ud83d" },
      { method: "m", params: "\ud83d" },
    ]) {
      expect(decodeClientLine(Buffer.from(JSON.stringify(message)))).toMatchObject({
        kind: "fault",
        id: null,
      });
    }
  });
});

describe("every other line", () => {
  test("is what it would be without the check, emoji and text about escapes included", () => {
    const texts = ["😀", "\\ud83d", "\\\\ud83d", "\\u", "C:\\ud800", "\ud83d\ude00\ud83d\ude00"];
    for (const text of texts) {
      expect(decodeClientLine(lineOf({ text, [text]: text })).kind).toBe("request");
    }
    const escaped = Buffer.from('{"id":7,"method":"m","params":"\\uD83D\\uDE00 \\\\uD83D"}');
    expect(decodeClientLine(escaped)).toEqual(decodeFrame(escaped));
  });

  test("is refused for a half character exactly if JavaScript finds one", () => {
    const parts = fc.constantFrom("\ud83d", "\ude00", "\\", "u", "d", '"', "x", "😀");
    fc.assert(
      fc.property(fc.array(parts), (characters) => {
        const text = characters.join("");
        const whole = Buffer.from(text).toString() === text;
        expect(decodeClientLine(lineOf({ text })).kind).toBe(whole ? "request" : "fault");
      }),
      { numRuns: 1_000 },
    );
  });
});
