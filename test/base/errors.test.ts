import { describe, expect, test } from "vitest";
import {
  asBrokerError,
  BrokerError,
  ERROR_KINDS,
  errnoOf,
  isErrorKind,
  messageOf,
  textDetail,
} from "../../src/base/errors.ts";
import { fromRpcError, RpcError, toRpcError } from "../../src/wire/messages.ts";

describe.each([...ERROR_KINDS])("%s", (kind) => {
  const error = new BrokerError(kind, "It broke.", { details: { pid: 7 }, hint: "Do this." });

  test("F101: crosses a file and the wire with everything but its cause", () => {
    const fromFile = BrokerError.fromJSON(JSON.parse(JSON.stringify(error)) as typeof error);
    const fromWire = fromRpcError(JSON.parse(JSON.stringify(toRpcError(error))) as never);
    for (const copy of [fromFile, fromWire]) {
      expect(copy).toMatchObject({ kind, message: "It broke.", hint: "Do this." });
      expect(copy).toMatchObject({ details: { pid: 7 }, retryable: error.retryable });
    }
  });

  test("has a hint that is a sentence", () => {
    expect(new BrokerError(kind, "").hint).toMatch(/^[A-Z].*\.$/s);
  });

  test("F33: has a code that neither JSON-RPC nor the app-server gives to anything else", () => {
    const standard = { parseError: -32_700, invalidRequest: -32_600 } as Record<string, number>;
    if (standard[kind] !== undefined) expect(error.code).toBe(standard[kind]);
    else expect(error.code).toBeLessThanOrEqual(-33_001);
  });
});

describe("F33: an error on the wire", () => {
  test("is the app-server's own unless it carries our mark, and is then left as it is", () => {
    const theirs = { code: -32_001, message: "Server overloaded; retry later.", data: { a: [1] } };
    const error = fromRpcError(theirs);
    expect(error).toBeInstanceOf(RpcError);
    expect((error as RpcError).toJSON()).toEqual(theirs);
    for (const data of [undefined, null, "x", [], { kind: "toString" }, { kind: 7 }, {}]) {
      expect(fromRpcError({ ...theirs, data })).toBeInstanceOf(RpcError);
    }
  });

  test("of ours is believed without hint and details, and not with wrong ones", () => {
    const bare = fromRpcError({ code: 1, message: "m", data: { kind: "draining", hint: 7 } });
    expect(bare).toMatchObject({ kind: "draining", details: {} });
    expect((bare as BrokerError).hint).toBe(new BrokerError("draining", "").hint);
  });
});

test("names of what every object has are no kinds", () => {
  for (const name of ["constructor", "__proto__", "toString", "", 7, null, undefined]) {
    expect(isErrorKind(name)).toBe(false);
  }
});

test("one of ours is known by its mark, not by its class", () => {
  const ofAnotherCopy = { [Symbol.for("codex-broker.error")]: true };
  expect(BrokerError.is(ofAnotherCopy)).toBe(true);
  for (const other of [null, undefined, "x", new Error("x"), {}]) {
    expect(BrokerError.is(other)).toBe(false);
  }
});

test("F101: whatever was thrown becomes one of ours and stays its cause", () => {
  const thrown = new Error("disk on fire");
  expect(asBrokerError(thrown, "brokerStartFailed")).toMatchObject({
    kind: "brokerStartFailed",
    message: "disk on fire",
    cause: thrown,
  });
  expect(asBrokerError("just text", "usage").message).toBe("just text");
  const ours = new BrokerError("draining", "");
  expect(asBrokerError(ours, "usage")).toBe(ours);
  expect(messageOf(undefined)).toBe("undefined");
});

test("a detail that is missing or no text is empty", () => {
  const error = new BrokerError("usage", "", { details: { pid: 7, stderrTail: "boom" } });
  expect(["stderrTail", "pid", "none"].map((name) => textDetail(error, name))).toEqual([
    "boom",
    "",
    "",
  ]);
  expect(textDetail(new Error("x"), "stderrTail")).toBe("");
});

test("only a system error has a code", () => {
  expect(errnoOf(Object.assign(new Error("x"), { code: "ENOENT" }))).toBe("ENOENT");
  for (const other of [new Error("x"), Object.assign(new Error("x"), { code: 7 }), { code: "E" }]) {
    expect(errnoOf(other)).toBeUndefined();
  }
});
