import { describe, expect, test } from "vitest";
import { BrokerError } from "../../src/base/errors.ts";
import { useFakeClock } from "../support/fake-clock.ts";
import { Bench, turnCompleted, turnStarted, type Client } from "./bench.ts";

const clock = useFakeClock();

const GRACE_MS = 2_000;
const LOOK_LIMIT_MS = 10_000;

const failed: object = {
  method: "error",
  params: { threadId: "t", turnId: "u", willRetry: false, error: { message: "no more" } },
};
const message = (phase: string | null): object => ({
  method: "item/completed",
  params: { threadId: "t", turnId: "u", item: { type: "agentMessage", text: "done", phase } },
});
const idle: object = {
  method: "thread/status/changed",
  params: { threadId: "t", status: { type: "idle" } },
};

async function pass(bench: Bench, ms: number): Promise<void> {
  clock.pass(ms);
  await bench.settle();
}

/** A turn that runs, heard by its session. */
async function running(): Promise<{ bench: Bench; one: Client }> {
  const bench = new Bench();
  const one = await bench.client();
  await bench.thread(one, "t");
  await bench.turn(one, "t", "u");
  return { bench, one };
}

const inHistory = (bench: Bench, status: string, id = "u"): Promise<void> =>
  bench.answer("thread/turns/list", { result: { data: [{ id, status, items: [] }] } });

const ends = (client: Client): unknown[] =>
  client.heard
    .filter(({ method }) => method === "turn/completed" || method === "broker/turnLost")
    .map(({ method, params }) => params?.["turn"] ?? method);

describe("F44: a turn that seems to be over", () => {
  test.each([
    ["an error that is not retried", failed, GRACE_MS],
    ["its thread being idle", idle, GRACE_MS],
    ["a message that may be the last", message(null), 5_000],
    ["the final message", message("final_answer"), 5_000],
  ])("by %s is looked up, and its end is told as history has it", async (_what, event, graceMs) => {
    const { bench, one } = await running();
    await bench.tell(event);
    await pass(bench, graceMs - 1);
    expect(bench.asked("thread/turns/list")).toEqual([]);
    await pass(bench, 1);
    await inHistory(bench, "failed");
    expect(ends(one)).toEqual([{ id: "u", status: "failed", items: [] }]);
    expect(bench.router.turnCount).toBe(0);
    await bench.tell(turnCompleted("t", "u"));
    expect(ends(one)).toHaveLength(1);
  });

  test("is looked up again, at growing intervals, while history says that it runs", async () => {
    const { bench, one } = await running();
    await bench.tell(failed);
    for (const graceMs of [2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]) {
      const before = bench.asked("thread/turns/list").length;
      await pass(bench, graceMs - 1);
      expect(bench.asked("thread/turns/list")).toHaveLength(before);
      await pass(bench, 1);
      await inHistory(bench, "inProgress");
    }
    expect(ends(one)).toEqual([]);
    await pass(bench, 60_000);
    await inHistory(bench, "completed");
    expect(ends(one)).toHaveLength(1);
  });

  test.each([
    ["its end", turnCompleted("t", "u")],
    ["a sign of life", { method: "item/started", params: { threadId: "t", item: {} } }],
  ])("is not looked up when %s comes", async (_what, event) => {
    const { bench } = await running();
    await bench.tell(failed);
    await pass(bench, 1_000);
    await bench.tell(event);
    await pass(bench, 600_000);
    expect(bench.asked("thread/turns/list")).toEqual([]);
  });

  test("is not looked up after a message that is none of the last", async () => {
    const { bench } = await running();
    await bench.tell(message("commentary"));
    await pass(bench, 600_000);
    expect(bench.asked("thread/turns/list")).toEqual([]);
  });

  test("and of which history knows nothing is lost when its thread is idle, and told as that", async () => {
    const { bench, one } = await running();
    await bench.tell(failed);
    await pass(bench, GRACE_MS);
    await bench.answer("thread/turns/list", { error: { code: -32_600, message: "not saved" } });
    await bench.answer("thread/read", { result: { thread: { status: { type: "active" } } } });
    expect(ends(one)).toEqual([]);
    await pass(bench, 2 * GRACE_MS);
    await inHistory(bench, "completed", "an older one");
    await bench.answer("thread/read", { result: { thread: { status: { type: "idle" } } } });
    expect(ends(one)).toEqual(["broker/turnLost"]);
    expect(bench.router.turnCount).toBe(0);
  });

  test.each(["thread/turns/list", "thread/read"])(
    "F114: is not lost because %s is not answered in time: it is asked again",
    async (silent) => {
      const { bench, one } = await running();
      await bench.tell(failed);
      await pass(bench, GRACE_MS);
      if (silent === "thread/read") await inHistory(bench, "completed", "an older one");
      for (let ms = 0; ms < LOOK_LIMIT_MS + 2_000; ms += 1_000) await pass(bench, 1_000);
      expect(ends(one)).toEqual([]);
      expect(bench.router.turnCount).toBe(1);
      await pass(bench, 2 * GRACE_MS);
      await inHistory(bench, "completed");
      expect(ends(one)).toEqual([{ id: "u", status: "completed", items: [] }]);
    },
  );

  test("F114: that another has overtaken is not lost because there is no answer in time", async () => {
    const { bench, one } = await running();
    await bench.tell(turnStarted("t", "v"));
    for (let ms = 0; ms < LOOK_LIMIT_MS + 2_000; ms += 1_000) await pass(bench, 1_000);
    expect(ends(one)).toEqual([]);
    await pass(bench, GRACE_MS);
    await inHistory(bench, "completed");
    expect(ends(one)).toEqual([{ id: "u", status: "completed", items: [] }]);
  });

  test("F45: because nothing but its acceptance was ever heard of it is looked up too", async () => {
    const bench = new Bench();
    const one = await bench.client();
    await bench.thread(one, "t");
    await one.say({ id: 1, method: "turn/start", params: { threadId: "t" } });
    await bench.answer("turn/start", { result: {} });
    await pass(bench, 10_000);
    await inHistory(bench, "completed", "an older one");
    await bench.answer("thread/read", { result: { thread: { status: { type: "idle" } } } });
    expect(ends(one)).toEqual(["broker/turnLost"]);
  });

  test("because another one has begun on its thread is looked up at once; the other goes on", async () => {
    const { bench, one } = await running();
    await bench.tell(turnStarted("t", "v"));
    await inHistory(bench, "interrupted");
    expect(ends(one)).toEqual([{ id: "u", status: "interrupted", items: [] }]);
    expect(bench.router.turns()).toMatchObject([{ turnId: "v" }]);
    await bench.tell(turnCompleted("t", "v"));
    expect(bench.router.turnCount).toBe(0);
  });

  test("and is told of late does not end the one that came after it", async () => {
    const { bench } = await running();
    await bench.tell(turnCompleted("t", "long ago"));
    expect(bench.router.turns()).toMatchObject([{ turnId: "u" }]);
  });
});

describe("F42: what is lost with the app-server", () => {
  const lostThread = async (thread: object, events: object[]): Promise<unknown> => {
    const bench = new Bench();
    const one = await bench.client();
    await one.say({ id: 1, method: "thread/start", params: {} });
    await bench.answer("thread/start", { result: { thread: { id: "t", ...thread } } });
    await bench.turn(one, "t", "u");
    for (const event of events) await bench.tell(event);
    bench.router.lose(new BrokerError("appServerExited", "It was killed."));
    await one.say({ id: 2, method: "thread/list", params: {} });
    return one.heard.find(({ method }) => method === "broker/turnLost")?.params;
  };
  const said: object = {
    method: "item/completed",
    params: { threadId: "t", item: { type: "userMessage" } },
  };

  test("is the thread too when it was ephemeral, or had not been saved yet", async () => {
    for (const [thread, events] of [
      [{ ephemeral: true }, [said]],
      [{}, []],
    ] as const) {
      expect(await lostThread(thread, [...events])).toMatchObject({
        threadLost: true,
        error: { hint: expect.stringContaining("start a new one") },
      });
    }
  });

  test("is not the thread that was saved", async () => {
    expect(await lostThread({}, [said])).toMatchObject({
      threadLost: false,
      error: { hint: expect.stringContaining("--resume t") },
    });
  });
});
