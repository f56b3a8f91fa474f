import { describe, expect, test } from "vitest";
import { Bench, turnCompleted, turnStarted, type Client } from "./bench.ts";

const APPROVAL = "item/commandExecution/requestApproval";

test("F35: a turn of a thread that nobody knows yet is counted until it ends", async () => {
  const bench = new Bench();
  await bench.client();
  await bench.tell(turnStarted("x", "u"));
  await bench.tell(turnCompleted("x", "u"));
  expect(bench.router.turnCount).toBe(0);
});

describe("a sub-agent", () => {
  const released = (bench: Bench): unknown[] =>
    bench.asked("thread/unsubscribe").map(({ params }) => params?.["threadId"]);

  /** A session with a turn on a thread, and a sub-agent at work for it. */
  async function working(bench: Bench): Promise<Client> {
    const one = await bench.client();
    await bench.thread(one, "t");
    await bench.turn(one, "t", "u");
    await bench.subAgent("t", "c");
    await bench.tell(turnStarted("c", "cu"));
    return one;
  }

  test("F65: asks those who hear the turn that it serves", async () => {
    const bench = new Bench();
    const [one, other, stranger] = [
      await bench.client(),
      await bench.client(),
      await bench.client(),
    ];
    await bench.thread(one, "t");
    await bench.joins(other, "t");
    await bench.turn(other, "t", "u");
    await bench.subAgent("t", "c");
    await bench.tell(turnStarted("c", "cu"));
    await bench.tell({ id: 9, method: APPROVAL, params: { threadId: "c" } });
    const asked = (each: Client): boolean => each.methods().includes(APPROVAL);
    expect([one, other, stranger].map(asked)).toEqual([true, true, false]);
    await bench.joins(stranger, "t");
    expect(asked(stranger)).toBe(true);
  });

  test("F37: is interrupted with the turn that it serves", async () => {
    const bench = new Bench();
    const one = await working(bench);
    await one.go();
    expect(bench.asked("turn/interrupt").map(({ params }) => params?.["threadId"])).toEqual([
      "t",
      "c",
    ]);
  });

  test("F38: has its thread released with its parent's, when its session goes", async () => {
    const bench = new Bench();
    const one = await bench.client();
    await bench.thread(one, "t");
    await bench.subAgent("t", "c");
    await one.go();
    expect(released(bench)).toEqual(["t", "c"]);
    expect(bench.router.threadCount).toBe(0);
  });

  test("F38: has its thread released with its parent's, when its session leaves the thread", async () => {
    const bench = new Bench();
    const one = await bench.client();
    await bench.thread(one, "t");
    await bench.subAgent("t", "c");
    await one.say({ id: 1, method: "thread/unsubscribe", params: { threadId: "t" } });
    expect(released(bench)).toEqual(["t", "c"]);
    expect(bench.router.threadCount).toBe(0);
  });

  test("F38: keeps its thread and its parent's while one of them works, though nobody hears them", async () => {
    const bench = new Bench();
    const one = await working(bench);
    await one.go();
    await bench.tell(turnCompleted("t", "u"));
    expect(released(bench)).toEqual([]);
    await bench.tell(turnCompleted("c", "cu"));
    expect(released(bench)).toEqual(["t", "c"]);
  });

  test("S8: keeps its thread while its parent's turn goes on in a broker that drains", async () => {
    const bench = new Bench();
    await working(bench);
    await bench.tell(turnCompleted("c", "cu"));
    bench.router.drain({ reason: "superseded", reconnect: true, abnormal: false });
    expect(released(bench)).toEqual([]);
    await bench.tell(turnCompleted("t", "u"));
    expect(released(bench)).toEqual(["t", "c"]);
  });
});

describe("what a sub-agent did before its parent's item names it (F110)", () => {
  const spawned = (threadId: string, ...receiverThreadIds: string[]): object => ({
    method: "item/completed",
    params: { threadId, item: { type: "collabAgentToolCall", receiverThreadIds } },
  });
  const started = (id: string): object => ({
    method: "thread/started",
    params: { thread: { id } },
  });
  const delta = (threadId: string): object => ({
    method: "item/agentMessage/delta",
    params: { threadId, delta: "x" },
  });
  const threadsIn = ({ heard }: Client): unknown[] =>
    heard.flatMap(({ method, params }) => {
      if (method === undefined) return [];
      const thread = params?.["thread"] as { id: string } | undefined;
      return `${method} ${thread?.id ?? String(params?.["threadId"])}`;
    });

  test("is sent before that item, as the app-server sent it", async () => {
    const bench = new Bench();
    const one = await bench.client();
    await bench.thread(one, "t");
    await bench.turn(one, "t", "u");
    for (const each of [started("c"), delta("c"), spawned("t", "c"), delta("c")]) {
      await bench.tell(each);
    }
    expect(threadsIn(one)).toEqual([
      "turn/started t",
      "thread/started c",
      "item/agentMessage/delta c",
      "item/completed t",
      "item/agentMessage/delta c",
    ]);
  });

  test("names its own sub-agents, whose events follow in their order", async () => {
    const bench = new Bench();
    const one = await bench.client();
    await bench.thread(one, "t");
    await bench.turn(one, "t", "u");
    for (const each of [started("g"), started("c"), spawned("c", "g"), spawned("t", "c")]) {
      await bench.tell(each);
    }
    await bench.tell(delta("g"));
    expect(threadsIn(one)).toEqual([
      "turn/started t",
      "thread/started c",
      "thread/started g",
      "item/completed c",
      "item/completed t",
      "item/agentMessage/delta g",
    ]);
  });
});
