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

  test("has an object that its parser takes for a number or for raw text", () => {
    for (const name of ["Number", "RawValue"]) {
      const mark = { [`$serde_json::private::${name}`]: "x", y: 1 };
      for (const params of [mark, { deep: [mark] }]) {
        expect(decodeClientLine(lineOf(params))).toMatchObject({ kind: "fault", id: "7" });
      }
      const text = `{"$serde_json::private::${name}":"x"}`;
      expect(decodeClientLine(lineOf({ text })).kind).toBe("request");
    }
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

function traced(trace: string): Buffer {
  return Buffer.from(`{"id":7,"method":"m","params":{},"trace":${trace}}`);
}

/** What codex 0.169.0 drops, and what it takes: `test/broker/sessions.codex.test.ts` asks the real one. */
describe("a request whose trace the app-server would drop (F12)", () => {
  test.each([
    "1",
    "true",
    '"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"',
    '["a",1]',
    '{"traceparent":1}',
    '{"traceparent":{}}',
    '{"traceparent":false}',
    '{"traceparent":"a","tracestate":7}',
    '{"traceparent":"a","traceparent":"a"}',
    '{"tracestate":null,"tracestate":null}',
    '{"tr\\u0061ceparent":1}',
    'null,"trace":null',
  ])("%s is refused", (trace) => {
    const refused = { kind: "fault", id: "7", error: { kind: "invalidRequest" } };
    expect(decodeClientLine(traced(trace))).toMatchObject(refused);
    const escaped = Buffer.from(traced(trace).toString().replace('"trace"', '"tr\\u0061ce"'));
    expect(decodeClientLine(escaped)).toMatchObject(refused);
  });

  test.each([
    "null",
    "{}",
    '{"traceparent":null,"tracestate":null}',
    '{"traceparent":"nonsense","tracestate":"a=b"}',
    '{"Traceparent":1,"other":{"traceparent":1}}',
  ])("%s goes on unchanged", (trace) => {
    expect(decodeClientLine(traced(trace))).toEqual(decodeFrame(traced(trace)));
  });

  test("is looked for in requests only, and only where it stands", () => {
    for (const text of [
      '{"method":"m","params":{},"trace":7}',
      '{"id":7,"result":{},"trace":7}',
      '{"id":7,"method":"m","params":{"trace":7,"text":"\\"trace\\":7"}}',
    ]) {
      expect(decodeClientLine(Buffer.from(text))).toEqual(decodeFrame(Buffer.from(text)));
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
