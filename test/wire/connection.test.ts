import { spawn } from "node:child_process";
import { once } from "node:events";
import { PassThrough, Writable } from "node:stream";
import { describe, expect, test } from "vitest";
import { Deadline, pause } from "../../src/base/deadline.ts";
import { BrokerError } from "../../src/base/errors.ts";
import { Connection, type ConnectionOptions } from "../../src/wire/connection.ts";
import { RpcError } from "../../src/wire/messages.ts";
import { linkedEnds, type Ends } from "./duplex.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";

guardAgainstLeaks();

interface Opened extends Ends {
  readonly connection: Connection;
}

function open(options: Partial<ConnectionOptions> = {}): Opened {
  const ends = linkedEnds();
  const connection = new Connection(
    { readable: ends.near, writable: ends.near },
    { maxLineBytes: 1_000, ...options },
  );
  return { ...ends, connection };
}

/** How each of these has ended, within a moment. */
async function outcomes(all: ReadonlyArray<Promise<unknown>>): Promise<unknown[]> {
  const settled = Promise.allSettled(all);
  const results = await Deadline.after(10_000).race(settled, () => new Error("not settled"));
  return results.map((result) =>
    result.status === "fulfilled" ? result.value : (result.reason as unknown),
  );
}

const cause = new BrokerError("foreignBroker", "Somebody else.");

test("the end of a connection is told to whoever listens for it, once, and to nobody who has stopped (F140)", async () => {
  const { connection } = open();
  const told: unknown[] = [];
  connection.onEnd((why) => told.push(["first", why]));
  const forget = connection.onEnd(() => told.push("forgotten"));
  forget();
  connection.destroy(cause);
  connection.destroy(new BrokerError("connectionClosed", "Again."));
  expect(told).toEqual([["first", cause]]);
  connection.onEnd((why) => told.push(["late", why]));
  await connection.closed;
  await pause(1);
  expect(told).toEqual([
    ["first", cause],
    ["late", cause],
  ]);
});

describe("a request", () => {
  test("F41: gets the answer to its own id, whatever the order of the answers", async () => {
    const { connection, sent, say } = open();
    const all = [1, 2, 3].map((n) => connection.request("m", { n }));
    await pause(1);
    expect(sent.map((line) => JSON.parse(line) as unknown)).toEqual([
      { id: 1, method: "m", params: { n: 1 } },
      { id: 2, method: "m", params: { n: 2 } },
      { id: 3, method: "m", params: { n: 3 } },
    ]);
    say('{"id":3,"result":"three"}', '{"id":1,"result":null}', '{"result":{"two":2},"id":2}');
    expect(await outcomes(all)).toEqual([null, { two: 2 }, "three"]);
  });

  test("takes a null beside the result or the error for absent (F107)", async () => {
    const { connection, say } = open();
    const all = [connection.request("m"), connection.request("m")];
    say('{"id":1,"result":1,"error":null}');
    say('{"id":2,"result":null,"error":{"code":7,"message":"no"}}');
    expect(await outcomes(all)).toMatchObject([1, { code: 7, message: "no" }]);
    expect(connection.endCause).toBeUndefined();
  });

  test("F41: takes no answer to another id, nor a second one", async () => {
    const { connection, say } = open();
    const answer = connection.request("m");
    say('{"id":"1","result":"of another"}', '{"id":7,"result":0}', '{"id":1,"result":1}');
    say('{"id":1,"result":2}');
    expect(await answer).toBe(1);
    expect(connection.endCause).toBeUndefined();
  });

  test("F33: fails with what the other side said, its own errors unaltered and ours as ours", async () => {
    const { connection, say } = open();
    const all = [connection.request("m"), connection.request("m")];
    say('{"id":1,"error":{"code":-32001,"message":"Server overloaded","data":[1]}}');
    say('{"id":2,"error":{"code":-33034,"message":"It ends.","data":{"kind":"draining"}}}');
    const [theirs, ours] = await outcomes(all);
    expect(theirs).toBeInstanceOf(RpcError);
    expect(theirs).toMatchObject({ code: -32_001, message: "Server overloaded", data: [1] });
    expect(ours).toMatchObject({ name: "BrokerError", kind: "draining", message: "It ends." });
  });

  test("F12: ends with its deadline, and its late answer disturbs nobody", async () => {
    const { connection, say } = open();
    const slow = connection.request("slow", {}, { deadline: Deadline.after(10) });
    const [error] = await outcomes([slow]);
    expect(error).toMatchObject({ kind: "requestTimedOut", details: { method: "slow" } });
    say('{"id":1,"result":"late"}');
    const next = connection.request("m");
    say('{"id":2,"result":"in time"}');
    expect(await next).toBe("in time");
  });

  test("ends when its signal is aborted, with the reason, and is not sent if it was before", async () => {
    const { connection, sent } = open();
    const stop = new AbortController();
    const running = connection.request("m", {}, { signal: stop.signal });
    stop.abort(new Error("enough"));
    const late = connection.request("late", {}, { signal: stop.signal });
    expect(await outcomes([running, late])).toMatchObject([
      { message: "enough" },
      { message: "enough" },
    ]);
    await pause(1);
    expect(sent).toHaveLength(1);
  });

  test("that cannot be written as JSON fails, and is not counted as waiting", async () => {
    const busy: boolean[] = [];
    const { connection } = open({ onBusy: (now) => void busy.push(now) });
    await expect(connection.request("m", { n: 1n })).rejects.toThrow("BigInt");
    expect(busy.at(-1) ?? false).toBe(false);
  });

  test("tells when the first one begins to wait and when the last one has its answer", async () => {
    const busy: boolean[] = [];
    const { connection, say } = open({ onBusy: (now) => void busy.push(now) });
    const all = [connection.request("m"), connection.request("m")];
    say('{"id":2,"result":0}', '{"id":1,"result":0}');
    await outcomes(all);
    expect(busy).toEqual([true, false]);
  });
});

describe("the end of a connection", () => {
  const endings: Record<string, [how: (opened: Opened) => void, expected: object]> = {
    "closed by this side": [({ connection }) => connection.close(), { kind: "connectionClosed" }],
    "destroyed with a cause": [({ connection }) => connection.destroy(cause), cause],
    "ended by the other side": [({ far }) => void far.end(), { kind: "connectionLost" }],
    broken: [
      ({ near }) => void near.destroy(new Error("read ECONNRESET")),
      { kind: "connectionLost", cause: { message: "read ECONNRESET" } },
    ],
    "closed without a word": [({ near }) => void near.destroy(), { kind: "connectionLost" }],
    "spoilt by a line that is no message": [
      ({ say }) => say("nonsense"),
      { kind: "invalidAnswer", cause: { kind: "parseError" } },
    ],
    "spoilt by a line that is too long": [
      ({ say }) => say(`"${"x".repeat(1_001)}"`),
      { kind: "invalidAnswer", cause: { kind: "frameTooLarge" } },
    ],
  };

  describe.each(Object.entries(endings))("that is %s", (_what, [end, expected]) => {
    test("F42: settles everything that waits on it, with the cause", async () => {
      const opened = open();
      const { connection } = opened;
      const waiting = [
        connection.request("a"),
        connection.request("b", {}, { deadline: Deadline.after(60_000) }),
        connection.request("c", {}, { signal: new AbortController().signal }),
      ];
      end(opened);
      const errors = await outcomes([...waiting, connection.closed]);
      for (const error of errors) expect(error).toMatchObject(expected);
      expect(new Set(errors).size).toBe(1);
      expect(connection.endCause).toBe(errors[0]);
    });

    test("F43: makes every later request and notification fail at once", async () => {
      const opened = open();
      const { connection, sent } = opened;
      end(opened);
      await connection.closed;
      await expect(connection.request("m")).rejects.toMatchObject(expected);
      await expect(
        connection.request("m", {}, { deadline: Deadline.after(60_000) }),
      ).rejects.toMatchObject(expected);
      expect(() => connection.notify("n")).toThrow(connection.endCause);
      connection.close();
      connection.destroy(new BrokerError("usage", "another cause"));
      expect(connection.endCause).toMatchObject(expected);
      await pause(1);
      expect(sent).toEqual([]);
    });
  });

  test("that this side closes comes after what it has sent", async () => {
    const { connection, sent, near } = open();
    connection.notify("last/words", { a: 1 });
    connection.close();
    await once(near, "close");
    await pause(1);
    expect(sent).toEqual(['{"method":"last/words","params":{"a":1}}']);
  });

  test("lets nothing more be heard, were it in the very same piece", async () => {
    const heard: string[] = [];
    const { connection, say } = open({
      onNotification: (method) => heard.push(method),
      onRequest: (method) => heard.push(method),
    });
    say('{"method":"one"}', "nonsense", '{"method":"two"}', '{"id":1,"method":"three"}');
    await connection.closed;
    await pause(1);
    expect(heard).toEqual(["one"]);
  });
});

describe("a pipe that breaks while it is written to (F50)", () => {
  test("is a lost connection, and nothing is thrown", async () => {
    const writable = new Writable({
      write: (_chunk, _encoding, done) =>
        done(Object.assign(new Error("write EPIPE"), { code: "EPIPE" })),
    });
    const connection = new Connection(
      { readable: new PassThrough(), writable },
      { maxLineBytes: 1_000 },
    );
    const [error] = await outcomes([connection.request("m")]);
    expect(error).toMatchObject({ kind: "connectionLost", cause: { code: "EPIPE" } });
  });

  test("is noticed with a real process that closes its standard input", async () => {
    const child = spawn(process.execPath, ["-e", "process.stdin.destroy()"]);
    const connection = new Connection(
      { readable: child.stdout, writable: child.stdin },
      { maxLineBytes: 1_000 },
    );
    const waiting = connection.request("m", { text: "x".repeat(500_000) });
    const [error] = await outcomes([waiting]);
    expect(error).toMatchObject({ kind: "connectionLost" });
    if (child.exitCode === null) await once(child, "exit");
  });
});

describe("what the other side sends", () => {
  test("F49: is heard in order, with every character it has", async () => {
    const heard: unknown[] = [];
    const { say } = open({ onNotification: (method, params) => heard.push([method, params]) });
    say('{"method":"a","params":{"text":"x\u2028y\u2029z"}}', '{"method":"b"}');
    await pause(1);
    expect(heard).toEqual([
      ["a", { text: "x\u2028y\u2029z" }],
      ["b", undefined],
    ]);
  });

  test("is answered with the id it came with, whatever that is", async () => {
    const { say, sent } = open({ onRequest: (method) => ({ method }) });
    say('{"id":"a\\u0041","method":"x"}', '{"id":9007199254740993,"method":"y"}');
    await pause(1);
    expect(sent).toEqual([
      '{"id":"a\\u0041","result":{"method":"x"}}',
      '{"id":9007199254740993,"result":{"method":"y"}}',
    ]);
  });

  test("is answered with an error where the handler throws, and where there is none", async () => {
    const thrown: readonly unknown[] = [
      new RpcError({ code: -5, message: "theirs" }),
      new BrokerError("draining", "ours"),
      new Error("a defect"),
      "text",
    ];
    const { say, sent } = open({
      // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- a handler may do that
      onRequest: (_method, params) => Promise.reject(thrown[params as number]),
    });
    for (const index of thrown.keys()) say(`{"id":${index},"method":"m","params":${index}}`);
    const deaf = open();
    deaf.say('{"id":0,"method":"m"}');
    await pause(1);
    const errors = [...sent, ...deaf.sent].map(
      (line) => (JSON.parse(line) as { error: object }).error,
    );
    expect(errors).toMatchObject([
      { code: -5, message: "theirs" },
      { code: -33_034, data: { kind: "draining" } },
      { code: -32_603, message: "a defect" },
      { code: -32_603, message: "text" },
      { code: -32_601 },
    ]);
  });

  test("is answered once the handler is done, and holds up nobody meanwhile", async () => {
    let answer!: (value: unknown) => void;
    const slow = new Promise((resolve) => (answer = resolve));
    const { say, sent } = open({ onRequest: (method) => (method === "slow" ? slow : method) });
    say('{"id":1,"method":"slow"}', '{"id":2,"method":"quick"}');
    await pause(1);
    answer("slow");
    await pause(1);
    expect(sent).toEqual(['{"id":2,"result":"quick"}', '{"id":1,"result":"slow"}']);
  });

  test("needs no answer when the connection has ended before it was ready", async () => {
    let answer!: (value: unknown) => void;
    const slow = new Promise((resolve) => (answer = resolve));
    const { say, sent, connection } = open({ onRequest: () => slow });
    say('{"id":1,"method":"slow"}');
    await pause(1);
    connection.destroy(cause);
    answer("slow");
    await pause(1);
    expect(sent).toEqual([]);
  });
});
