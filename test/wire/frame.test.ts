import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  decodeFrame,
  withId,
  withParams,
  type AnswerFrame,
  type Frame,
  type FrameFault,
  type NotificationFrame,
  type RequestFrame,
} from "../../src/wire/frame.ts";
import { asciiJson, lineOf, textOf } from "../../src/wire/line.ts";
import { member, objectText, space, stringText, valueText, type Member } from "./json-text.ts";
import { textLineOf } from "../../src/wire/line.ts";

const decode = (text: string): Frame | FrameFault => decodeFrame(Buffer.from(text));

function request(text: string): RequestFrame {
  const frame = decode(text);
  if (frame.kind !== "request") throw new Error(`${frame.kind}: ${text}`);
  return frame;
}

function faultOf(text: string | Buffer): FrameFault {
  const frame = decodeFrame(Buffer.from(text));
  if (frame.kind !== "fault") throw new Error(`${frame.kind}: ${String(text)}`);
  return frame;
}

const OURS = new Set(["id", "method", "params", "result", "error"]);

const integerId = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String);
const anyId = fc.oneof(stringText, integerId);
const others = fc.array(
  member.filter(({ name }) => !OURS.has(JSON.parse(name) as string)),
  { maxLength: 3 },
);

interface Written {
  readonly text: string;
  /** The same text around the id. */
  readonly around: readonly [before: string, after: string];
}

/** A message with its members in any order, and among members that we do not know. */
function written(ours: readonly Member[], idAt: number): fc.Arbitrary<Written> {
  return fc
    .tuple(others, space)
    .chain(([unknown, gap]) =>
      fc
        .shuffledSubarray([...ours, ...unknown], { minLength: ours.length + unknown.length })
        .map((members) => ({ members, gap })),
    )
    .map(({ members, gap }) => {
      const { text, values } = objectText(members, gap);
      const span = values[members.indexOf(ours[idAt]!)]!;
      return { text, around: [text.slice(0, span.start), text.slice(span.end)] };
    });
}

const aRequest = fc
  .tuple(anyId, stringText, fc.option(valueText, { nil: undefined }))
  .chain(([id, method, params]) => {
    const ours: Member[] = [
      { name: '"id"', value: id },
      { name: '"method"', value: method },
      ...(params === undefined ? [] : [{ name: '"params"', value: params }]),
    ];
    return written(ours, 0).map((text) => ({ ...text, id, method, params }));
  });

const anAnswer = fc
  .tuple(
    anyId,
    fc.oneof(
      valueText.map((value) => ({ name: '"result"', value })),
      fc.constant({ name: '"error"', value: '{"code":-1,"message":"no"}' }),
    ),
  )
  .chain(([id, outcome]) =>
    written([{ name: '"id"', value: id }, outcome], 0).map((text) => ({ ...text, id })),
  );

describe("a message with another id (F41)", () => {
  test("is byte for byte the same otherwise, if it is a request", () => {
    fc.assert(
      fc.property(aRequest, anyId, ({ text, around, id, method, params }, other) => {
        const frame = request(text);
        expect(textOf(frame.id)).toBe(id);
        expect(frame.method).toBe(JSON.parse(method));
        expect(frame.params).toEqual(params === undefined ? undefined : JSON.parse(params));
        const changed = textOf(withId(frame, lineOf(other)));
        expect(changed).toBe(around[0] + other + around[1]);
        expect(withId(request(changed), lineOf(id))).toBe(lineOf(text));
      }),
      { numRuns: 300 },
    );
  });

  test("is byte for byte the same otherwise, if it is an answer", () => {
    fc.assert(
      fc.property(anAnswer, anyId, ({ text, around, id }, other) => {
        const frame = decode(text) as AnswerFrame;
        expect(frame).toMatchObject({ kind: "answer", id: lineOf(id) });
        expect(withId(frame, lineOf(other))).toBe(lineOf(around[0] + other + around[1]));
      }),
      { numRuns: 300 },
    );
  });
});

describe("an id", () => {
  const withThisId = (id: string): string => `{"method":"m","id":${id}}`;

  test.each(["7", "-0", "-9223372036854775808", "9223372036854775807", "9007199254740993"])(
    "may be the integer %s, and stays exact",
    (id) => {
      expect(request(withThisId(id)).id).toBe(id);
    },
  );

  test.each(['""', '"7"', '"a\\u0041\\\\"', '"\u2028"'])(
    "may be the string %s, and stays as it is written",
    (id) => {
      expect(textOf(request(withThisId(id)).id)).toBe(id);
    },
  );

  test.each([
    "null",
    "true",
    "1.5",
    "1.0",
    "1e3",
    "9223372036854775808",
    "-9223372036854775809",
    "99999999999999999999",
    "[1]",
    "{}",
  ])("F48: may not be %s", (id) => {
    expect(faultOf(withThisId(id))).toMatchObject({ id: null, error: { kind: "invalidRequest" } });
  });

  test("is told from the same digits in quotes", () => {
    expect(request(withThisId("7")).id).not.toBe(request(withThisId('"7"')).id);
  });

  test("of something nested is not the message's", () => {
    expect(decode('{"method":"m","params":{"id":7}}').kind).toBe("notification");
    expect(request('{"params":{"id":{"id":1}},"id":2,"method":"m"}').id).toBe("2");
  });
});

describe("what is no message (F48)", () => {
  test.each<[what: string, line: string | Buffer, kind: string]>([
    ["nothing", "", "parseError"],
    ["bytes that are not UTF-8", Buffer.from([0x22, 0xff, 0x22]), "parseError"],
    ["half a character", Buffer.from("{}ä").subarray(0, -1), "parseError"],
    ["a surrogate as bytes", Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]), "parseError"],
    ["text before JSON", "\u001b[?2004h{}", "parseError"],
    ["a byte order mark", "\ufeff{}", "parseError"],
    ["two objects", "{}{}", "parseError"],
    ["a scalar", "7", "invalidRequest"],
    ["null", "null", "invalidRequest"],
    ["a batch", '[{"id":1,"method":"m"}]', "invalidRequest"],
    ["neither method nor id", '{"params":{}}', "invalidRequest"],
    ["an id alone", '{"id":1}', "invalidRequest"],
    ["a result given twice", '{"id":1,"result":{},"result":{}}', "invalidRequest"],
    [
      "an error given twice",
      '{"error":1,"id":1,"error":{"code":1,"message":""}}',
      "invalidRequest",
    ],
  ])("%s is a fault that nobody can be answered for", (_what, line, kind) => {
    expect(faultOf(line)).toMatchObject({ id: null, error: { kind } });
  });

  test.each([
    ["a method that is no string", '{"id":1,"method":7}'],
    ["a method given twice", '{"id":1,"method":"a","method":"b"}'],
    ["params given twice", '{"params":{},"id":1,"method":"a","\\u0070arams":{}}'],
  ])("%s is a fault whose sender can be answered", (_what, line) => {
    expect(faultOf(line)).toMatchObject({ id: "1", error: { kind: "invalidRequest" } });
  });

  test("two ids are a fault, and neither is answered", () => {
    expect(faultOf('{"id":1,"method":"m","\\u0069d":2}').id).toBeNull();
  });

  test.each(['"text"', "7", "{}", '{"code":"x","message":"m"}', '{"code":1}'])(
    "an answer whose error is %s is one",
    (error) => {
      expect(faultOf(`{"id":1,"error":${error}}`).error.kind).toBe("invalidRequest");
    },
  );

  test("no bytes whatever make it throw", () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), fc.json().map(Buffer.from)), (bytes) => {
        expect(decodeFrame(Buffer.from(bytes)).kind).toBeTypeOf("string");
      }),
    );
  });
});

describe("what kind a message is of", () => {
  test.each([
    ['{"id":1,"method":"m"}', "request"],
    ['{"method":"m","params":null}', "notification"],
    ['{"id":1,"result":null}', "answer"],
    ['{"id":1,"error":{"code":1,"message":"m"}}', "answer"],
    ['{"id":1,"method":"m","result":{}}', "request"],
    ['{"jsonrpc":"2.0","id":"a","result":{},"unknown":1}', "answer"],
  ])("%s", (text, kind) => {
    expect(decode(text)).toMatchObject({ kind, line: text });
  });
});

describe("a member that is null beside the one that counts is absent (F107)", () => {
  test.each([
    ['{"id":1,"result":{"a":1},"error":null}', { result: { a: 1 }, error: undefined }],
    ['{"error":null,"result":null,"id":1}', { result: null, error: undefined }],
    ['{"id":1,"method":null,"params":null,"result":[],"error":null}', { result: [] }],
    [
      '{"jsonrpc":"2.0","id":1,"result":null,"error":{"code":1,"message":"m","data":null}}',
      { result: null, error: { code: 1, message: "m", data: null } },
    ],
    ['{"id":1,"method":null,"error":{"code":1,"message":"m"}}', { error: { code: 1 } }],
  ])("%s is a response", (line, members) => {
    expect(decode(line)).toMatchObject({ kind: "answer", id: "1", line, ...members });
  });

  test.each([
    ['{"id":1,"method":"m","params":{},"result":null,"error":null}', "request"],
    ['{"method":"m","params":{},"result":null,"error":null}', "notification"],
  ])("%s is a %s", (line, kind) => {
    expect(decode(line)).toMatchObject({ kind, method: "m", line });
  });

  test.each([
    '{"id":1,"error":null}',
    '{"id":1,"method":null}',
    '{"id":1,"method":null,"error":null}',
  ])("%s is no message: nothing in it counts", (line) => {
    expect(faultOf(line)).toMatchObject({ error: { kind: "invalidRequest" } });
  });
});

describe("a message with other params", () => {
  test("has them, and every other byte is as it was", () => {
    fc.assert(
      fc.property(aRequest, fc.jsonValue(), anyId, ({ text, id, params }, value, other) => {
        const frame = request(text);
        const changed = withParams(frame, value);
        const json = JSON.stringify(value);
        expect(changed.params).toEqual(value);
        const again = request(textOf(changed.line));
        expect(again.params).toEqual(JSON.parse(json));
        expect(again).toMatchObject({
          id: lineOf(id),
          method: frame.method,
          idSpan: changed.idSpan,
        });
        expect(request(textOf(withId(changed, lineOf(other)))).id).toBe(lineOf(other));
        if (params === undefined) return;
        const at =
          Buffer.byteLength(text) -
          Buffer.byteLength(params) -
          (changed.line.length - asciiJson(value).length);
        expect(at).toBe(0);
        const untouched = withParams(again, JSON.parse(json));
        expect(untouched.line).toBe(changed.line);
      }),
      { numRuns: 300 },
    );
  });

  test("keeps numbers beyond 2^53 everywhere else", () => {
    const frame = request('{"id":9007199254740993,"x":9007199254740993,"method":"m","params":{}}');
    expect(withParams(frame, { a: 1 }).line).toBe(
      '{"id":9007199254740993,"x":9007199254740993,"method":"m","params":{"a":1}}',
    );
  });

  test("gets them where it had none", () => {
    const changed = withParams(decode('{"method":"m" } ') as NotificationFrame, { a: 1 });
    expect(JSON.parse(textLineOf(changed.line))).toEqual({ method: "m", params: { a: 1 } });
  });
});
