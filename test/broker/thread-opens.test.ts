import { describe, expect, test } from "vitest";
import { BrokerError } from "../../src/base/errors.ts";
import { Bench, turnCompleted, turnStarted, type Client } from "./bench.ts";

const opened = (id: string): object => ({ result: { thread: { id } } });
const released = (bench: Bench): unknown[] =>
  bench.asked("thread/unsubscribe").map(({ params }) => params?.["threadId"]);
const resume = (client: Client, id: string, params: object = { threadId: "t" }): Promise<void> =>
  client.say({ id, method: "thread/resume", params });
const unsubscribe = (client: Client, id = "bye"): Promise<void> =>
  client.say({ id, method: "thread/unsubscribe", params: { threadId: "t" } });

interface Handover {
  readonly bench: Bench;
  readonly one: Client;
  readonly other: Client;
}

/** A thread with one subscriber, and another session. */
async function handover(): Promise<Handover> {
  const bench = new Bench();
  const [one, other] = [await bench.client(), await bench.client()];
  await bench.thread(one, "t");
  return { bench, one, other };
}

/** A thread whose only subscriber runs a turn, and another session. */
async function busyHandover(): Promise<Handover> {
  const all = await handover();
  await all.bench.turn(all.one, "t", "u");
  return all;
}

/** The other session is a subscriber upstream too: what happens on the thread reaches it. */
async function expectSubscribed({ bench, other }: Handover): Promise<void> {
  expect(released(bench)).toEqual([]);
  await bench.turn(other, "t", "v");
  await bench.tell(turnCompleted("t", "v"));
  expect(other.methods().slice(-2)).toEqual(["turn/started", "turn/completed"]);
  await other.go();
  expect(released(bench)).toEqual(["t"]);
}

describe("while a session opens a thread, the thread is not unsubscribed (F102)", () => {
  const leaves: Record<string, (all: Handover) => Promise<void>> = {
    "its only subscriber disconnects": async ({ one }) => await one.go(),
    "its only subscriber unsubscribes": async ({ one }) => await unsubscribe(one),
    "the broker looks for what it missed": async ({ bench, one }) => {
      await one.go();
      await Promise.all([
        bench.router.reconcile(),
        bench.settle().then(() => bench.answer("thread/loaded/list", { result: { data: ["t"] } })),
      ]);
    },
  };

  test.each(Object.entries(leaves))("although %s", async (_what, leave) => {
    const all = await handover();
    await resume(all.other, "r");
    await leave(all);
    await all.bench.answer("thread/resume", opened("t"));
    await expectSubscribed(all);
  });

  test("although the turn of a session that has left it ends", async () => {
    const all = await busyHandover();
    await unsubscribe(all.one);
    await resume(all.other, "r");
    await all.bench.tell(turnCompleted("t", "u"));
    await all.bench.answer("thread/resume", opened("t"));
    await expectSubscribed(all);
  });

  test("although another session that opened it has gone before its response", async () => {
    const all = await handover();
    const third = await all.bench.client();
    await resume(third, "gone");
    await resume(all.other, "r");
    const [first, second] = all.bench.asked("thread/resume");
    await all.one.go();
    await third.go();
    await all.bench.tell({ id: first?.id, ...opened("t") });
    await all.bench.tell({ id: second?.id, ...opened("t") });
    await expectSubscribed(all);
  });

  test("although its only subscriber leaves before the app-server was asked", async () => {
    const all = await handover();
    for (let n = 0; n < 64; n += 1) {
      await all.other.say({ id: `r${n}`, method: "thread/list", params: {} });
    }
    await resume(all.other, "r");
    expect(all.bench.asked("thread/resume")).toEqual([]);
    await all.one.go();
    for (const { id } of all.bench.asked("thread/list")) await all.bench.tell({ id, result: {} });
    await all.bench.answer("thread/resume", opened("t"));
    await expectSubscribed(all);
  });

  test("although the request names it by its file", async () => {
    const all = await handover();
    await resume(all.other, "r", { threadId: "", path: "/rollouts/t.jsonl" });
    await all.one.go();
    await all.bench.answer("thread/resume", opened("t"));
    await expectSubscribed(all);
  });

  test("nor while it is forked, and afterwards it is", async () => {
    const { bench, one, other } = await handover();
    await other.say({ id: "f", method: "thread/fork", params: { threadId: "t" } });
    await one.go();
    expect(released(bench)).toEqual([]);
    await bench.answer("thread/fork", opened("forked"));
    expect(released(bench)).toEqual(["t"]);
  });

  test("nor is the thread of its sub-agent, which may be needed with it", async () => {
    const { bench, one, other } = await handover();
    await bench.subAgent("t", "c");
    await resume(other, "r", { threadId: "c" });
    await one.go();
    expect(released(bench)).toEqual([]);
    await bench.answer("thread/resume", opened("c"));
    expect(released(bench)).toEqual(["t"]);
  });

  test("and it is unsubscribed when the request was refused, or its session has gone", async () => {
    const refused = await handover();
    await resume(refused.other, "r");
    await refused.one.go();
    await refused.bench.answer("thread/resume", { error: { code: -1, message: "no" } });
    expect(released(refused.bench)).toEqual(["t"]);
    const left = await handover();
    await resume(left.other, "r");
    await left.one.go();
    await left.other.go();
    expect(released(left.bench)).toEqual([]);
    await left.bench.answer("thread/resume", opened("t"));
    expect(released(left.bench)).toEqual(["t"]);
    expect(left.bench.router.threadCount).toBe(0);
  });

  test("by a broker that drains, before the response", async () => {
    const { bench, other } = await handover();
    await resume(other, "r");
    bench.router.drain({ reason: "superseded", reconnect: true, abnormal: false });
    await bench.settle();
    expect(released(bench)).toEqual([]);
    await bench.answer("thread/resume", opened("t"));
    expect(released(bench)).toEqual(["t"]);
  });

  test("a request that opens it waits for an unsubscribe that was sent before", async () => {
    const all = await handover();
    await all.one.go();
    await resume(all.other, "r");
    expect(all.bench.asked("thread/resume")).toEqual([]);
    await all.bench.answer("thread/unsubscribe", { result: { status: "unsubscribed" } });
    await all.bench.answer("thread/resume", opened("t"));
    expect(all.other.answerTo("r")?.result).toEqual({ thread: { id: "t" } });
    await all.bench.turn(all.other, "t", "v");
    expect(released(all.bench)).toEqual(["t"]);
  });

  test("a request that waits so is answered when its broker drains, and not sent when its session goes", async () => {
    const { bench, one, other } = await handover();
    const gone = await bench.client();
    await one.go();
    await resume(other, "r");
    await resume(gone, "r");
    await gone.go();
    bench.router.drain({ reason: "superseded", reconnect: true, abnormal: false });
    await bench.answer("thread/unsubscribe", { result: { status: "unsubscribed" } });
    expect(other.answerTo("r")?.error?.data).toMatchObject({ kind: "draining" });
    expect(bench.asked("thread/resume")).toEqual([]);
  });

  test("a session that unsubscribes from what it is opening has left it in the end", async () => {
    const bench = new Bench();
    const one = await bench.client();
    await resume(one, "r");
    await unsubscribe(one);
    expect(bench.asked("thread/unsubscribe")).toEqual([]);
    await bench.answer("thread/resume", opened("t"));
    expect(one.answerTo("bye")?.result).toEqual({ status: "unsubscribed" });
    expect(released(bench)).toEqual(["t"]);
  });

  test("a session that never subscribed does not unsubscribe it for the one that opens it", async () => {
    const bench = new Bench();
    const [one, stranger] = [await bench.client(), await bench.client()];
    await resume(one, "r");
    await unsubscribe(stranger);
    expect(stranger.answerTo("bye")?.result).toEqual({ status: "notSubscribed" });
    expect(released(bench)).toEqual([]);
    await bench.answer("thread/resume", opened("t"));
    await unsubscribe(stranger, "again");
    expect(stranger.answerTo("again")?.result).toEqual({ status: "notSubscribed" });
    expect(released(bench)).toEqual([]);
  });

  test("a session does not unsubscribe it from a sub-agent's thread that has no name yet", async () => {
    const all = await busyHandover();
    const { bench, other } = all;
    const idle = { threadId: "c", status: { type: "idle" } };
    await bench.tell({ method: "thread/status/changed", params: idle });
    await other.say({ id: "bye", method: "thread/unsubscribe", params: { threadId: "c" } });
    expect(other.answerTo("bye")?.result).toEqual({ status: "notLoaded" });
    expect(released(bench)).toEqual([]);
  });

  test("and it is unsubscribed when the response was too long to be read", async () => {
    const bench = new Bench();
    const one = await bench.client();
    await resume(one, "r");
    const { id } = bench.asked("thread/resume")[0] ?? {};
    bench.router.upstream.receiveOversized(Buffer.from(`{"id":${String(id)},"result":{"t`), 1_000);
    await bench.settle();
    expect(one.answerTo("r")?.error?.data).toMatchObject({ kind: "frameTooLarge" });
    expect(released(bench)).toEqual(["t"]);
  });

  test("an unsubscribe from a thread that is not loaded is answered by the app-server", async () => {
    const bench = new Bench();
    const one = await bench.client();
    await unsubscribe(one);
    await bench.answer("thread/unsubscribe", { result: { status: "notLoaded" } });
    expect(one.answerTo("bye")?.result).toEqual({ status: "notLoaded" });
    await unsubscribe(one, "again");
    await bench.answer("thread/unsubscribe", { error: { code: -32_600, message: "invalid" } });
    expect(one.answerTo("again")?.error).toEqual({ code: -32_600, message: "invalid" });
  });

  test("a list of loaded threads from before the response does not end the new subscription", async () => {
    const all = await handover();
    const round = async (loaded: string[]): Promise<void> => {
      const looking = all.bench.router.reconcile();
      await all.bench.settle();
      await resume(all.other, "r");
      await all.bench.answer("thread/resume", opened("t"));
      await all.bench.answer("thread/loaded/list", { result: { data: loaded } });
      await looking;
    };
    await round([]);
    await round([]);
    await all.one.go();
    await expectSubscribed(all);
  });
});

describe("a thread that is closed while a turn runs on it (F102)", () => {
  const closed = { method: "thread/closed", params: { threadId: "t" } };

  test.each(["thread/closed", "thread/archived", "thread/deleted"])(
    "ends the turn as Codex's history has it, before %s",
    async (method) => {
      const { bench, one } = await busyHandover();
      await bench.tell({ method, params: { threadId: "t" } });
      expect(one.methods()).not.toContain(method);
      const turn = { id: "u", status: "completed" };
      await bench.answer("thread/turns/list", { result: { data: [turn] } });
      expect(one.heard.slice(-2)).toMatchObject([
        { method: "turn/completed", params: { turn } },
        { method, params: { threadId: "t" } },
      ]);
      expect([bench.router.turnCount, bench.router.threadCount]).toEqual([0, 0]);
    },
  );

  test("ends the turn as lost where history does not have it", async () => {
    const { bench, one } = await busyHandover();
    await bench.tell(closed);
    await bench.answer("thread/turns/list", { error: { code: -1, message: "no such thread" } });
    await bench.answer("thread/read", { error: { code: -1, message: "no such thread" } });
    expect(one.methods().slice(-2)).toEqual(["broker/turnLost", "thread/closed"]);
  });

  test("reports the turn once when its own end comes late", async () => {
    const { bench, one } = await busyHandover();
    await bench.tell(closed);
    await bench.tell(turnCompleted("t", "u"));
    await bench.answer("thread/turns/list", { result: { data: [{ id: "u", status: "failed" }] } });
    expect(one.methods().slice(-3)).toEqual(["turn/started", "turn/completed", "thread/closed"]);
  });

  test("reports the turn once when the app-server is lost meanwhile", async () => {
    const { bench, one } = await busyHandover();
    await bench.tell(closed);
    bench.router.lose(new BrokerError("appServerExited", "It was killed."));
    await bench.settle();
    expect(one.methods().filter((method) => method === "broker/turnLost")).toHaveLength(1);
  });

  test("leaves the answer to a turn that has none yet", async () => {
    const { bench, one } = await handover();
    await one.say({ id: "turn", method: "turn/start", params: { threadId: "t", input: [] } });
    await bench.tell(closed);
    await bench.answer("turn/start", { error: { code: -1, message: "thread not found: t" } });
    expect(one.answerTo("turn")?.error?.message).toBe("thread not found: t");
    expect(one.methods()).toEqual(["thread/closed"]);
  });

  test("does not close the next life of the thread", async () => {
    const all = await busyHandover();
    await all.bench.tell(closed);
    await resume(all.other, "r");
    await all.bench.answer("thread/resume", opened("t"));
    await all.bench.answer("thread/turns/list", { result: { data: [{ id: "u", status: "x" }] } });
    expect(all.one.methods().slice(-1)).toEqual(["turn/completed"]);
    await all.one.go();
    await expectSubscribed(all);
  });
});

describe("the former life of a thread (F185)", () => {
  const idle = {
    method: "thread/status/changed",
    params: { threadId: "t", status: { type: "idle" } },
  };
  const notLoaded = {
    method: "thread/status/changed",
    params: { threadId: "t", status: { type: "notLoaded" } },
  };
  const closed = { method: "thread/closed", params: { threadId: "t" } };

  test("is not replayed to the session that opens it, neither its end nor what came before", async () => {
    const bench = new Bench();
    const one = await bench.client();
    await bench.tell(idle);
    await resume(one, "r");
    await bench.tell(idle);
    await bench.tell(notLoaded);
    await bench.tell(closed);
    await bench.answer("thread/resume", opened("t"));
    const answeredAt = one.heard.findIndex(({ id }) => id === "r");
    expect(one.heard.slice(answeredAt + 1)).toEqual([]);
  });

  test("is not replayed when an open request failed and another one follows", async () => {
    const bench = new Bench();
    const one = await bench.client();
    await resume(one, "failed");
    await bench.tell(idle);
    await bench.answer("thread/resume", { error: { code: -1, message: "no" } });
    await resume(one, "r");
    await bench.answer("thread/resume", opened("t"));
    expect(one.methods()).toEqual([]);
  });

  test("ends for every session when it ends, as Codex tells every connection", async () => {
    const { bench, one, other } = await handover();
    await unsubscribe(one);
    for (const each of [notLoaded, closed]) await bench.tell(each);
    for (const each of [one, other]) {
      expect(each.methods()).toEqual(["thread/status/changed", "thread/closed"]);
    }
  });

  test("ends unseen in a broker that drains: its sessions use the thread in the successor", async () => {
    const { bench, one } = await handover();
    bench.router.drain({ reason: "superseded", reconnect: true, abnormal: false });
    expect(released(bench)).toEqual(["t"]);
    for (const each of [notLoaded, closed]) await bench.tell(each);
    expect(one.methods()).toEqual(["broker/draining"]);
  });

  test("is followed by the first events of the next one", async () => {
    const bench = new Bench();
    const one = await bench.client();
    await resume(one, "r");
    await bench.tell(closed);
    await bench.tell(turnStarted("t", "u"));
    await bench.answer("thread/resume", opened("t"));
    expect(one.methods()).toEqual(["thread/closed", "turn/started"]);
  });
});
