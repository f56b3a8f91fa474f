import { describe, expect, test } from "vitest";
import { BrokerError } from "../../src/base/errors.ts";
import { Bench, turnCompleted, turnStarted, type Client } from "./bench.ts";

const queue = (more: object = {}): object => ({ broker: { whenBusy: "queue", ...more } });

async function begin(client: Client, id: string, more: object = {}): Promise<void> {
  await client.say({ id, method: "turn/start", params: { threadId: "t", input: [], ...more } });
}

const places = (client: Client): unknown[] =>
  client.heard
    .filter(({ method }) => method === "broker/queued")
    .map(({ params }) => [params?.["ticket"], params?.["position"]]);

/** A thread with a turn of one session, and two others that would like to have theirs. */
async function busy(): Promise<{ bench: Bench; one: Client; two: Client; three: Client }> {
  const bench = new Bench();
  const [one, two, three] = [await bench.client(), await bench.client(), await bench.client()];
  await bench.thread(one, "t");
  await bench.turn(one, "t", "u");
  return { bench, one, two, three };
}

const errorOf = (client: Client, id: string): unknown => client.answerTo(id)?.error?.data;

describe("F32: requests for a busy thread that would rather wait", () => {
  test("begin one after another as they came, and know their place", async () => {
    const { bench, two, three } = await busy();
    await begin(two, "a", queue({ ticket: "A" }));
    await begin(three, "b", queue());
    await begin(two, "c", queue({ ticket: "C" }));
    expect(places(two)).toEqual([
      ["A", 1],
      ["C", 3],
    ]);
    expect(two.heard.find(({ method }) => method === "broker/queued")?.params).toMatchObject({
      threadId: "t",
      turn: { turnId: "u", session: 1 },
    });
    await bench.tell(turnCompleted("t", "u"));
    expect(bench.asked("turn/start").map(({ params }) => params)).toEqual([
      { threadId: "t", input: [] },
      { threadId: "t", input: [] },
    ]);
    await bench.answer("turn/start", { result: { turn: { id: "v" } } });
    expect(two.answerTo("a")?.result).toEqual({ turn: { id: "v" } });
    expect(bench.router.turns()).toMatchObject([{ turnId: "v", session: 2 }]);
    await bench.tell(turnStarted("t", "v"));
    await bench.tell(turnCompleted("t", "v"));
    await bench.answer("turn/start", { error: { code: -1, message: "not today" } });
    expect(three.answerTo("b")?.error?.message).toBe("not today");
    expect(bench.asked("turn/start")).toHaveLength(4);
    expect(places(three)).toEqual([
      [null, 2],
      [null, 1],
    ]);
    expect(places(two)).toEqual([
      ["A", 1],
      ["C", 3],
      ["C", 2],
      ["C", 1],
    ]);
  });

  test("say nothing of it upstream, where the thread is free", async () => {
    const { bench, two } = await busy();
    await bench.tell(turnCompleted("t", "u"));
    await begin(two, "a", queue());
    expect(bench.asked("turn/start").at(-1)?.params).toEqual({ threadId: "t", input: [] });
    expect(places(two)).toEqual([]);
  });

  test("are refused without that wish, and told who is at work and who waits", async () => {
    const { two, three } = await busy();
    await begin(two, "a", queue());
    await begin(three, "b", { broker: { whenBusy: "refuse" } });
    await begin(three, "c");
    for (const id of ["b", "c"]) {
      expect(errorOf(three, id)).toMatchObject({
        kind: "threadBusy",
        hint: expect.stringContaining("turn/steer"),
        details: { threadId: "t", turnId: "u", session: 1, queued: 1 },
      });
    }
  });

  test.each([
    ["no object", 7],
    ["an unknown wish", { whenBusy: "join" }],
    ["no time", { whenBusy: "queue", deadlineMs: "soon" }],
    ["no name", { whenBusy: "queue", ticket: 1 }],
  ])("are refused when their wish is %s", async (_what, broker) => {
    const { bench, two } = await busy();
    await begin(two, "a", { broker });
    expect(errorOf(two, "a")).toMatchObject({ kind: "invalidRequest" });
    expect(bench.asked("turn/start")).toHaveLength(1);
  });

  test("wait no longer than they said", async () => {
    const { bench, two, three } = await busy();
    await begin(two, "a", queue({ deadlineMs: 0 }));
    await begin(three, "b", queue());
    await expect.poll(() => errorOf(two, "a")).toMatchObject({ kind: "timedOut", retryable: true });
    expect(places(three).at(-1)).toEqual([null, 1]);
    await bench.tell(turnCompleted("t", "u"));
    expect(bench.router.turns()).toMatchObject([{ session: 3 }]);
  });

  test("leave with their session, and nothing of them ever begins", async () => {
    const { bench, two, three } = await busy();
    await begin(two, "a", queue());
    await begin(three, "b", queue());
    await two.go();
    expect(places(three)).toEqual([
      [null, 2],
      [null, 1],
    ]);
    await bench.tell(turnCompleted("t", "u"));
    expect(bench.router.turns()).toMatchObject([{ session: 3 }]);
    expect(bench.asked("turn/start")).toHaveLength(2);
  });

  test("can be taken back, one by its ticket or all of one session, and only by that session", async () => {
    const { bench, two, three } = await busy();
    for (const ticket of ["A", "B", "C"]) await begin(two, ticket, queue({ ticket }));
    const unqueue = (client: Client, id: string, more: object = {}): Promise<void> =>
      client.say({ id, method: "broker/unqueue", params: { threadId: "t", ...more } });
    await unqueue(three, "not mine");
    expect(three.answerTo("not mine")?.result).toEqual({ unqueued: 0 });
    await unqueue(two, "one", { ticket: "B" });
    expect(two.answerTo("one")?.result).toEqual({ unqueued: 1 });
    expect(errorOf(two, "B")).toMatchObject({ kind: "turnInterrupted" });
    await unqueue(two, "rest");
    expect(two.answerTo("rest")?.result).toEqual({ unqueued: 2 });
    await bench.tell(turnCompleted("t", "u"));
    expect(bench.asked("turn/start")).toHaveLength(1);
  });

  test("hold the thread, though nobody hears it when its turn ends", async () => {
    const { bench, one, two } = await busy();
    await begin(two, "a", queue());
    await one.go();
    await bench.tell(turnCompleted("t", "u"));
    expect(bench.asked("thread/unsubscribe")).toEqual([]);
    expect(bench.router.turns()).toMatchObject([{ session: 2 }]);
  });

  test("are told to go elsewhere when the broker drains or has lost its app-server", async () => {
    const drained = await busy();
    await begin(drained.two, "a", queue());
    drained.bench.router.drain({ reason: "superseded", reconnect: true, abnormal: false });
    await drained.two.say({ id: "later", method: "thread/list", params: {} });
    expect(errorOf(drained.two, "a")).toMatchObject({ kind: "draining", retryable: true });
    const lost = await busy();
    await begin(lost.two, "a", queue());
    lost.bench.router.lose(new BrokerError("appServerExited", "It was killed."));
    await lost.two.say({ id: "later", method: "thread/list", params: {} });
    expect(errorOf(lost.two, "a")).toMatchObject({ kind: "appServerExited", retryable: true });
    expect(lost.bench.asked("turn/start")).toHaveLength(1);
  });

  test("are told when their thread is closed", async () => {
    const { bench, two } = await busy();
    await begin(two, "a", queue());
    await bench.tell({ method: "thread/closed", params: { threadId: "t" } });
    expect(errorOf(two, "a")).toMatchObject({ kind: "invalidRequest" });
    await begin(two, "b", queue());
    expect(errorOf(two, "b")).toMatchObject({ kind: "invalidRequest" });
  });

  test("keep waiting when another thread is closed", async () => {
    const { bench, one, two } = await busy();
    await begin(two, "a", queue());
    await bench.thread(one, "other");
    await bench.tell({ method: "thread/closed", params: { threadId: "other" } });
    expect(two.answerTo("a")).toBeUndefined();
    await bench.tell(turnCompleted("t", "u"));
    expect(bench.router.turns()).toMatchObject([{ threadId: "t", session: 2 }]);
  });

  test("are only so many", async () => {
    const { two } = await busy();
    for (let n = 0; n < 100; n += 1) await begin(two, `q${n}`, queue());
    await begin(two, "over", queue());
    expect(errorOf(two, "over")).toMatchObject({
      kind: "tooManyRequests",
      details: { threadId: "t", limit: 100 },
    });
  });
});
