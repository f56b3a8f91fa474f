import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { asciiJson, lineOf, lineOfBytes, textOf } from "../../src/wire/line.ts";

const anyText = fc.string({ unit: "binary" });

describe("a line (F49)", () => {
  test("has a character for each byte, and says what the text did", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const line = lineOf(text);
        expect(line.length).toBe(Buffer.byteLength(text));
        expect(line).toBe(lineOfBytes(Buffer.from(text)));
        expect(textOf(line)).toBe(text);
      }),
    );
  });
});

describe("JSON in ASCII", () => {
  test("says the same", () => {
    fc.assert(
      fc.property(fc.oneof(anyText, fc.jsonValue()), (value) => {
        const json = asciiJson(value);
        expect(json).toMatch(/^[ -~]*$/);
        expect(JSON.parse(json)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  test("is told as it is where it was ASCII, an absent value included", () => {
    expect(asciiJson({ a: ["\n", 1, null] })).toBe('{"a":["\\n",1,null]}');
    expect(asciiJson("漢😀")).toBe('"\\u6f22\\ud83d\\ude00"');
  });
});
