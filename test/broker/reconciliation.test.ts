import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { monotonicMs } from "../../src/base/deadline.ts";
import { onTrace, type TraceEvent } from "../../src/base/trace.ts";
import { Bench, turnStarted, type Client } from "./bench.ts";

let finds: TraceEvent[];
let undo: () => void;
beforeEach(() => {
  finds = [];
  undo = onTrace((event) => {
    if (event.event.startsWith("reconcile.")) finds.push(event);
  });
});
afterEach(() => undo());

/** One round, in which that is loaded; a thread that nobody knows is idle unless it is told otherwise. */
async function round(bench: Bench, loaded: string[], status = "idle"): Promise<void> {
  const done = bench.router.reconcile();
  await bench.settle();
  await bench.answer("thread/loaded/list", { result: { data: loaded, nextCursor: null } });
  for (let reads = bench.asked("thread/read").length; reads > 0; reads -= 1) {
    await bench.answer("thread/read", { result: { thread: { status: { type: status } } } });
  }
  await done;
}

const released = (bench: Bench): unknown[] =>
  bench.asked("thread/unsubscribe").map(({ params }) => params?.["threadId"]);

describe("F38: comparing what is loaded with what is known", () => {
  async function withThread(): Promise<{ bench: Bench; one: Client }> {
    const bench = new Bench();
    const one = await bench.client();
    await bench.thread(one, "t");
    return { bench, one };
  }

  test("asks nothing while no thread is known, and finds nothing where all is well", async () => {
    const bench = new Bench();
    await bench.router.reconcile();
    expect(bench.upstream).toEqual([]);
    const known = await withThread();
    for (let n = 0; n < 3; n += 1) await round(known.bench, ["t"]);
    expect([finds, released(known.bench), known.bench.router.threadCount]).toEqual([[], [], 1]);
  });

  test("lets go of a thread that nobody knows, when it is seen twice and idle", async () => {
    const { bench } = await withThread();
    await round(bench, ["t", "stray"]);
    expect(released(bench)).toEqual([]);
    await round(bench, ["t", "stray"], "active");
    expect(released(bench)).toEqual([]);
    await round(bench, ["t", "stray"]);
    expect(released(bench)).toEqual(["stray"]);
    expect(finds).toMatchObject([{ event: "reconcile.stray", threadId: "stray" }]);
  });

  test("leaves alone what is being opened", async () => {
    const { bench, one } = await withThread();
    await one.say({ id: 1, method: "thread/start", params: {} });
    for (let n = 0; n < 3; n += 1) await round(bench, ["t", "new"]);
    await bench.answer("thread/start", { result: { thread: { id: "new" } } });
    await round(bench, ["t", "new"]);
    expect([finds, released(bench)]).toEqual([[], []]);
  });

  test("forgets a thread that is not loaded any more, when it is missed twice", async () => {
    const { bench } = await withThread();
    await round(bench, []);
    expect(bench.router.threadCount).toBe(1);
    await round(bench, []);
    expect(bench.router.threadCount).toBe(0);
    expect(finds).toMatchObject([{ event: "reconcile.vanished", threadId: "t" }]);
  });

  test("F44: tells the end of a turn whose thread has gone, and of what waited for it", async () => {
    const { bench, one } = await withThread();
    await bench.turn(one, "t", "u");
    const broker = { whenBusy: "queue" };
    await one.say({ id: "next", method: "turn/start", params: { threadId: "t", broker } });
    await round(bench, []);
    await round(bench, []);
    await bench.answer("thread/turns/list", { result: { data: [{ id: "u", status: "failed" }] } });
    expect(one.heard.slice(-2)).toMatchObject([
      { method: "turn/completed", params: { turn: { id: "u", status: "failed" } } },
      { method: "thread/closed", params: { threadId: "t" } },
    ]);
    expect(one.answerTo("next")?.error?.message).toBe("thread not found: t");
    expect([bench.router.turnCount, bench.router.threadCount]).toEqual([0, 0]);
  });

  test("goes on page by page, and gives up on an app-server that does not answer", async () => {
    const { bench } = await withThread();
    const paged = bench.router.reconcile();
    await bench.settle();
    await bench.answer("thread/loaded/list", { result: { data: [], nextCursor: "2" } });
    expect(bench.asked("thread/loaded/list").at(-1)?.params).toEqual({ cursor: "2" });
    await bench.answer("thread/loaded/list", { result: { data: ["t"], nextCursor: null } });
    await paged;
    const refused = bench.router.reconcile();
    await bench.settle();
    await bench.answer("thread/loaded/list", { error: { code: -1, message: "no" } });
    await refused;
    expect(finds).toMatchObject([{ event: "reconcile.failed" }]);
  });
});

test("F15: several turns that are silent together have the health of the app-server looked at", async () => {
  const bench = new Bench();
  const one = await bench.client();
  for (const threadId of ["a", "b"]) {
    await bench.thread(one, threadId);
    await bench.turn(one, threadId, `of ${threadId}`);
  }
  const atOnce = bench.router.reconcile(performance.now() + 29_000);
  await bench.settle();
  expect(bench.calls.silence).toBe(0);
  await bench.tell(turnStarted("a", "of a"));
  await bench.answer("thread/loaded/list", { result: { data: ["a", "b"], nextCursor: null } });
  await atOnce;
  void bench.router.reconcile(monotonicMs() + 31_000);
  expect(bench.calls.silence).toBe(1);
});
