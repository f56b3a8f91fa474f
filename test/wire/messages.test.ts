import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeFrame } from "../../src/wire/frame.ts";
import {
  errorLine,
  isRecord,
  notificationLine,
  rawIdOf,
  requestLine,
  resultLine,
} from "../../src/wire/messages.ts";

/** Through the very decoder that the other side uses. */
function decoded(line: string): unknown {
  expect(line).not.toContain("\n");
  return decodeFrame(Buffer.from(line, "latin1"));
}

const ids = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
  fc.string({ unit: "binary" }).map(rawIdOf),
);
const texts = fc.string({ unit: "grapheme" });

describe("every line that we write is a message", () => {
  test("whatever its id, method and params are", () => {
    fc.assert(
      fc.property(ids, texts, fc.jsonValue(), (id, method, value) => {
        const params = JSON.parse(JSON.stringify(value)) as unknown;
        expect(decoded(requestLine(id, method, value))).toMatchObject({
          kind: "request",
          id,
          method,
          params: params ?? {},
        });
        expect(decoded(notificationLine(method, value))).toMatchObject({
          kind: "notification",
          method,
        });
        expect(decoded(resultLine(id, value))).toMatchObject({
          kind: "answer",
          id,
          result: params,
        });
        const error = { code: 1, message: method, data: params };
        expect(decoded(errorLine(id, error))).toMatchObject({ kind: "answer", id, error });
      }),
    );
  });

  test("also when there is nothing to say: the app-server wants params, and an answer a result", () => {
    expect(requestLine("1", "m", undefined)).toBe('{"id":1,"method":"m","params":{}}');
    expect(notificationLine("m", undefined)).toBe('{"method":"m","params":{}}');
    expect(resultLine("1", undefined)).toBe('{"id":1,"result":null}');
  });
});

test("a record is an object, and neither null nor a list", () => {
  expect([{}, { a: 1 }].every(isRecord)).toBe(true);
  expect([null, undefined, [], "x", 7].some(isRecord)).toBe(false);
});
