import { duplexPair } from "node:stream";
import { describe, expect, test } from "vitest";
import type { BrokerError } from "../../../src/base/errors.ts";
import { StdioProgram } from "../../../src/client/proxy/stdio-program.ts";
import { decodeFrame, type RequestFrame } from "../../../src/wire/frame.ts";
import { lineOf } from "../../../src/wire/line.ts";
import { eventually } from "../../support/eventually.ts";
import { linkedEnds } from "../../wire/duplex.ts";

const MORE_THAN_IS_KEPT = 65 * 1024 * 1024;

function initialize(params: object): RequestFrame {
  const line = JSON.stringify({ id: 1, method: "initialize", params });
  return decodeFrame(Buffer.from(line)) as RequestFrame;
}

describe("the program at the other end of stdio", () => {
  test("has what it sends handed on, and what is no message answered", async () => {
    const { near, sent, say } = linkedEnds();
    const kinds: string[] = [];
    const program = new StdioProgram(
      { readable: near, writable: near },
      {
        onFrame: ({ kind }) => kinds.push(kind),
        onEnd: () => kinds.push("end"),
        onClosed: () => kinds.push("closed"),
        onGivenUp: () => kinds.push("given up"),
      },
    );
    say('{"id":1,"method":"m"}', "nonsense", '{"method":"n"}', '{"id":2,"result":{}}');
    await eventually(() => kinds.length === 3 && sent.length === 1, "all has come");
    expect(kinds).toEqual(["request", "notification", "answer"]);
    expect(JSON.parse(sent[0] ?? "")).toMatchObject({ id: null, error: {} });
    program.close();
    await eventually(() => kinds.includes("closed"), "it is closed");
    expect(kinds).not.toContain("given up");
  });

  test("is welcomed under the id of its introduction, and not told what it does not want", async () => {
    const { near, sent } = linkedEnds();
    const nothing = (): void => {};
    const program = new StdioProgram(
      { readable: near, writable: near },
      { onFrame: nothing, onEnd: nothing, onClosed: nothing, onGivenUp: nothing },
    );
    program.welcome({ too: "early" });
    program.introduce(initialize({ capabilities: { optOutNotificationMethods: ["warning"] } }));
    program.welcome({ userAgent: "u" });
    program.tell("warning", {});
    program.tell("thread/closed", {});
    await eventually(() => sent.length === 2, "both are told");
    expect(sent.map((line) => JSON.parse(line) as object)).toMatchObject([
      { id: 1, result: { userAgent: "u" } },
      { method: "thread/closed" },
    ]);
  });

  test("gets one message that is longer than what it may leave unread, and what follows (F117)", async () => {
    const { near, sent } = linkedEnds();
    const happened: unknown[] = [];
    const program = new StdioProgram(
      { readable: near, writable: near },
      {
        onFrame: () => {},
        onEnd: () => happened.push("end"),
        onClosed: () => happened.push("closed"),
        onGivenUp: (why: BrokerError) => happened.push(why.kind),
      },
    );
    const lengths = [MORE_THAN_IS_KEPT, 1, 2, 3];
    for (const length of lengths) program.send(lineOf("x".repeat(length)));
    await eventually(() => sent.length === lengths.length, "all is read", 30_000);
    expect(sent.map(({ length }) => length)).toEqual(lengths);
    expect(happened).toEqual([]);
  });

  test("F50: is given up when it does not read what it is told", async () => {
    const [near] = duplexPair();
    const happened: unknown[] = [];
    const program = new StdioProgram(
      { readable: near, writable: near },
      {
        onFrame: () => {},
        onEnd: () => happened.push("end"),
        onClosed: () => happened.push("closed"),
        onGivenUp: (why: BrokerError) => happened.push(why.kind),
      },
    );
    // The longest message alone is no backlog.
    for (let sent = 0; sent < 3; sent += 1) program.send(lineOf("x".repeat(MORE_THAN_IS_KEPT)));
    await eventually(() => happened.includes("closed"), "it is closed");
    expect(happened).toEqual(["connectionClosed", "end", "closed"]);
  });
});
