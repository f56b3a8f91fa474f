import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeServerLine } from "../../src/broker/server-line.ts";
import { decodeFrame, withId, type AnswerFrame } from "../../src/wire/frame.ts";
import { bytesOf, lineOf, LONG_BYTES, type Line } from "../../src/wire/line.ts";

const padding = "x".repeat(LONG_BYTES);
const id = fc.nat({ max: 1_000_000 });

const textIn = (line: Line): string => bytesOf(line).toString("utf8");

function decodeAnswer(text: string): AnswerFrame {
  const frame = decodeServerLine(Buffer.from(text));
  if (frame.kind !== "answer") throw new Error(`it is a ${frame.kind}`);
  return frame;
}

describe("a long answer (F49)", () => {
  test("says what it would if it were short, and goes on with nothing changed but its id", () => {
    fc.assert(
      fc.property(id, fc.string({ unit: "binary" }), fc.jsonValue(), (given, text, value) => {
        const other = JSON.stringify(text);
        const rest = `"result":${JSON.stringify({ padding, value, also: "漢😀" })}}`;
        const answer = decodeAnswer(`{"id":${given},${rest}`);
        expect(answer.id).toBe(String(given));
        expect(answer.error).toBeUndefined();
        expect(answer.result).toEqual(JSON.parse(`{${rest}`).result);
        const line = withId(answer, lineOf(other));
        expect(textIn(line)).toBe(`{"id":${other},${rest}`);
        expect(line.length).toBe(bytesOf(line).length);
      }),
      { numRuns: 20 },
    );
  });

  test("shares its bytes with what came", () => {
    const bytes = Buffer.from(`{"id":1,"result":"${padding}"}`);
    const frame = decodeServerLine(bytes);
    const line = withId(frame as AnswerFrame, "77");
    if (typeof line === "string") throw new Error("it was made a text");
    expect(line.pieces.at(-1)?.buffer).toBe(bytes.buffer);
  });

  test("that is no JSON has no result, and ends nothing", () => {
    expect(decodeAnswer(`{"id":1,"result":{${padding}}`).result).toBeUndefined();
  });

  test.each([
    ["with its members in another order", `{"result":"${padding}","id":5}`],
    ["that is an error", `{"error":{"code":-1,"message":"${padding}"},"id":5}`],
  ])("%s is read as it is", (_which, text) => {
    expect(decodeServerLine(Buffer.from(text))).toEqual(decodeFrame(Buffer.from(text)));
  });

  test("that is not UTF-8 is none", () => {
    const bytes = Buffer.concat([
      Buffer.from(`{"id":1,"result":"${padding}`),
      Buffer.from([0xff]),
      Buffer.from('"}'),
    ]);
    expect(decodeServerLine(bytes)).toMatchObject({ kind: "fault" });
  });
});

test("a long notification is read, and goes on in the bytes in which it came", () => {
  const bytes = Buffer.from(`{"method":"m","params":{"threadId":"t","text":"漢${padding}"}}`);
  const frame = decodeServerLine(bytes);
  expect(frame).toMatchObject({ kind: "notification", method: "m", params: { threadId: "t" } });
  if (frame.kind !== "notification" || typeof frame.line === "string") throw new Error("a text");
  expect(frame.line.pieces).toEqual([bytes]);
  expect(frame.line.pieces[0]?.buffer).toBe(bytes.buffer);
});
