import { describe, expect, test } from "vitest";
import { NAME_REQUESTS } from "../../src/wire/method-kinds.ts";
import { Bench } from "./bench.ts";

const EXPERIMENTAL = { experimentalApi: true };

/** Which request each of them cancels. */
const CANCELS = {
  "thread/sample/cancel": "thread/sample",
  "thread/search/cancel": "thread/search",
  "thread/search/stream/cancel": "thread/search/stream",
  "userVerification/cancel": "userVerification/verify",
};

describe.each(Object.entries(CANCELS))("F108: %s", (cancel, method) => {
  test("reaches the app-server with its own id for the request of that session", async () => {
    const bench = new Bench();
    const [one, other] = [await bench.client(EXPERIMENTAL), await bench.client(EXPERIMENTAL)];
    // Both have chosen the same id.
    await one.say({ id: 7, method, params: { a: 1 } });
    await other.say({ id: 7, method, params: { a: 2 } });
    const [first, second] = bench.asked(method).map(({ id }) => id);
    await other.say({ id: 8, method: cancel, params: { requestId: 7 } });
    await one.say({ id: 8, method: cancel, params: { requestId: 7 } });
    expect(bench.asked(cancel).map(({ params }) => params)).toEqual([
      { requestId: second },
      { requestId: first },
    ]);
    await bench.answer(cancel, { result: {} });
    expect(one.answerTo(8)).toEqual({ id: 8, result: {} });
  });

  test("is answered and not sent on when the session has no such request", async () => {
    const bench = new Bench();
    const [one, other] = [await bench.client(EXPERIMENTAL), await bench.client(EXPERIMENTAL)];
    await one.say({ id: "theirs", method, params: {} });
    await one.say({ id: 5, method, params: {} });
    const outstanding = bench.asked(method).map(({ id }) => id);
    const guesses = [...outstanding, "theirs", 5, 0, -1, 40, String(outstanding[0])];
    for (const [index, requestId] of guesses.entries()) {
      await other.say({ id: `guess ${index}`, method: cancel, params: { requestId } });
      expect(other.answerTo(`guess ${index}`)).toEqual({ id: `guess ${index}`, result: {} });
    }
    // The number is not the text, and what was answered is not outstanding any more.
    await one.say({ id: 6, method: cancel, params: { requestId: "5" } });
    await bench.answer(method, { result: {} });
    await one.say({ id: 9, method: cancel, params: { requestId: 5 } });
    expect([one.answerTo(6), one.answerTo(9)]).toEqual([
      { id: 6, result: {} },
      { id: 9, result: {} },
    ]);
    expect(bench.asked(cancel)).toEqual([]);
  });

  test("finds the request however the id is written, and however large it is", async () => {
    const bench = new Bench();
    const client = await bench.client(EXPERIMENTAL);
    const ids = [
      ["9007199254740993", "9007199254740993"],
      ['"\u00e9\u2028"', '"\\u00e9\\u2028"'],
    ] as const;
    for (const [id, sameId] of ids) {
      await client.write(`{"params":{},"method":"${method}","id":${id}}`);
      await client.write(`{"id":1,"method":"${cancel}","params":{ "requestId" : ${sameId} }}`);
      expect(bench.asked(cancel).at(-1)?.params).toEqual({
        requestId: bench.asked(method).at(-1)?.id,
      });
    }
  });

  test("takes back a request that has not reached the app-server", async () => {
    const bench = new Bench({ started: false });
    const client = await bench.client(EXPERIMENTAL);
    await client.say({ id: 1, method, params: {} });
    await client.say({ id: 2, method: "thread/loaded/list", params: {} });
    await client.say({ id: 3, method: cancel, params: { requestId: 2 } });
    await client.say({ id: 4, method: cancel, params: { requestId: 1 } });
    expect(client.answerTo(4)).toEqual({ id: 4, result: {} });
    expect(client.answerTo(1)).toMatchObject({ error: { data: { kind: "turnInterrupted" } } });
    // Not what this method does not cancel.
    expect(client.answerTo(2)).toBeUndefined();
  });

  test("is sent for what a session leaves behind, and for nothing of others", async () => {
    const bench = new Bench();
    const [one, other] = [await bench.client(EXPERIMENTAL), await bench.client(EXPERIMENTAL)];
    await one.say({ id: 1, method, params: {} });
    await other.say({ id: 1, method, params: {} });
    const [first] = bench.asked(method);
    await one.go();
    expect(bench.asked(cancel).map(({ params }) => params)).toEqual([{ requestId: first?.id }]);
  });
});

describe("F108: what is reported of a request", () => {
  const report = (requestId: unknown): object => ({
    method: "thread/search/partial",
    params: { requestId, data: [{ n: 1 }] },
  });

  test.each([[7], ["seven"]])("goes to the session that asked, under its id %j", async (id) => {
    const bench = new Bench();
    const [one, other] = [await bench.client(EXPERIMENTAL), await bench.client(EXPERIMENTAL)];
    await other.say({ id, method: "thread/search/stream", params: {} });
    await one.say({ id, method: "thread/search/stream", params: {} });
    const [, second] = bench.asked("thread/search/stream");
    await bench.tell(report(second?.id));
    expect(one.heard.at(-1)).toEqual(report(id));
    expect(other.methods()).not.toContain("thread/search/partial");
  });

  test("goes nowhere when the request is answered, or its session gone", async () => {
    const bench = new Bench();
    const [one, other] = [await bench.client(EXPERIMENTAL), await bench.client(EXPERIMENTAL)];
    await one.say({ id: 1, method: "thread/search/stream", params: {} });
    const [{ id } = {}] = bench.asked("thread/search/stream");
    await bench.answer("thread/search/stream", { result: {} });
    await bench.tell(report(id));
    await one.say({ id: 2, method: "thread/search/stream", params: {} });
    await one.go();
    await bench.tell(report(bench.asked("thread/search/stream").at(-1)?.id));
    for (const each of [one, other]) expect(each.methods()).not.toContain("thread/search/partial");
  });
});

describe("F108: a method that nobody knows", () => {
  test("names a request of its session, or reaches none", async () => {
    const bench = new Bench();
    const [one, other] = [await bench.client(EXPERIMENTAL), await bench.client(EXPERIMENTAL)];
    await one.say({ id: 3, method: "from/the/future", params: {} });
    const [{ id } = {}] = bench.asked("from/the/future");
    await other.say({ id: 4, method: "future/cancel", params: { requestId: id } });
    expect(other.answerTo(4)).toMatchObject({ error: { data: { kind: "invalidRequest" } } });
    expect(bench.asked("future/cancel")).toEqual([]);
    await one.say({ id: 4, method: "future/cancel", params: { requestId: 3 } });
    expect(bench.asked("future/cancel")).toMatchObject([{ params: { requestId: id } }]);
    // A text names none of the broker's requests: it may be a name of something else.
    await other.say({ id: 5, method: "future/cancel", params: { requestId: "a-b" } });
    expect(bench.asked("future/cancel").at(-1)).toMatchObject({ params: { requestId: "a-b" } });
    await bench.tell({ method: "future/partial", params: { requestId: id } });
    expect(one.heard.at(-1)).toEqual({ method: "future/partial", params: { requestId: 3 } });
    expect(other.methods()).not.toContain("future/partial");
  });

  test("is a notification of the client: it reaches no request of another session", async () => {
    const bench = new Bench();
    const [one, other] = [await bench.client(), await bench.client()];
    await one.say({ id: 3, method: "from/the/future", params: {} });
    const [{ id } = {}] = bench.asked("from/the/future");
    await other.say({ method: "future/cancelled", params: { requestId: id } });
    expect(bench.asked("future/cancelled")).toEqual([]);
    await one.say({ method: "future/cancelled", params: { requestId: 3 } });
    expect(bench.asked("future/cancelled")).toEqual([
      { method: "future/cancelled", params: { requestId: id } },
    ]);
  });
});

test("F108: a known method that names no request goes on as it came, whatever else it has", async () => {
  const bench = new Bench();
  const client = await bench.client();
  const params = { requestId: 1, threadId: "t" };
  await client.say({ id: 1, method: "thread/read", params });
  expect(bench.asked("thread/read")).toMatchObject([{ params }]);
});

test("F108: every message that names a request is tested here", () => {
  const cancels = [...NAME_REQUESTS].filter((method) => method.endsWith("/cancel"));
  expect(cancels.toSorted()).toEqual(Object.keys(CANCELS).toSorted());
});
