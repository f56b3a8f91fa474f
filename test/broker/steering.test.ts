import { describe, expect, test } from "vitest";
import { Bench, turnCompleted, turnStarted, type Client, type Message } from "./bench.ts";

const STEERS = { protocol: 1, nonce: "n", whenBusy: "steer" };

/** A session that chose to steer runs the turn `u` on the thread `t`. */
async function running(): Promise<{ bench: Bench; owner: Client; other: Client }> {
  const bench = new Bench();
  const owner = await bench.client({}, STEERS);
  const other = await bench.client({}, STEERS);
  await bench.thread(owner, "t");
  await bench.joins(other, "t");
  await bench.turn(owner, "t", "u");
  return { bench, owner, other };
}

const start = (id: string, broker?: object): object => ({
  id,
  method: "turn/start",
  params: { threadId: "t", input: [], ...(broker === undefined ? {} : { broker }) },
});

const kindOf = (response: Message | undefined): unknown => response?.error?.data?.["kind"];

const begun = (id: string): object => ({ result: { turn: { id } } });

describe("F109: a second turn/start on one's own running thread", () => {
  test("goes to Codex as it came, which adds it to the turn; one end ends both", async () => {
    const { bench, owner } = await running();
    await owner.say(start("second"));
    expect(bench.asked("turn/start").at(-1)?.params).toEqual({ threadId: "t", input: [] });
    await bench.answer("turn/start", begun("u"));
    expect(owner.answerTo("second")?.result).toEqual({ turn: { id: "u" } });
    expect(bench.router.turns()).toMatchObject([{ turnId: "u", session: 1 }]);
    await bench.tell(turnCompleted("t", "u"));
    expect(bench.router.turns()).toEqual([]);
  });

  test("may follow at once, before anything is known of the first", async () => {
    const bench = new Bench();
    const owner = await bench.client({}, STEERS);
    await bench.thread(owner, "t");
    for (const id of ["first", "second", "third"]) await owner.say(start(id));
    const asked = bench.asked("turn/start");
    expect(asked).toHaveLength(3);
    for (const { id } of asked) await bench.tell({ id, ...begun("u") });
    await bench.tell(turnStarted("t", "u"));
    expect(bench.router.turns()).toMatchObject([{ turnId: "u", session: 1 }]);
    await bench.tell(turnCompleted("t", "u"));
    expect(bench.router.turns()).toEqual([]);
  });

  test("is chosen for one request, or not, as that says", async () => {
    const { bench, owner, other } = await running();
    const plain = await bench.client();
    await owner.say(start("refused", { whenBusy: "refuse" }));
    expect(kindOf(owner.answerTo("refused"))).toBe("threadBusy");
    for (const each of [other, plain]) {
      await each.say(start("others", { whenBusy: "steer" }));
      expect(kindOf(each.answerTo("others"))).toBe("threadBusy");
    }
    await plain.say(start("wrong", { whenBusy: "join" }));
    expect(kindOf(plain.answerTo("wrong"))).toBe("invalidRequest");
    expect(bench.asked("turn/start")).toHaveLength(1);
  });

  test("is refused to every other session, and so is what would cut the turn", async () => {
    const { bench, owner, other } = await running();
    await other.say(start("others"));
    expect(kindOf(other.answerTo("others"))).toBe("threadBusy");
    for (const method of ["review/start", "thread/compact/start"]) {
      await owner.say({ id: method, method, params: { threadId: "t" } });
      expect(kindOf(owner.answerTo(method))).toBe("threadBusy");
      expect(bench.asked(method)).toEqual([]);
    }
  });

  test("reaches the turn in a broker that takes no new work", async () => {
    const { bench, owner } = await running();
    bench.router.drain({ reason: "it is replaced", reconnect: true, abnormal: false });
    await owner.say(start("second"));
    await bench.answer("turn/start", begun("u"));
    expect(owner.answerTo("second")?.result).toEqual({ turn: { id: "u" } });
    await bench.tell(turnCompleted("t", "u"));
    await owner.say(start("third"));
    expect(kindOf(owner.answerTo("third"))).toBe("draining");
  });

  test("goes to a turn that nobody has started, unless another session follows it", async () => {
    const bench = new Bench();
    const owner = await bench.client({}, STEERS);
    await bench.thread(owner, "t");
    await bench.tell(turnStarted("t", "u"));
    await owner.say(start("alone"));
    expect(bench.asked("turn/start")).toHaveLength(1);
    await bench.joins(await bench.client(), "t");
    await owner.say(start("followed"));
    expect(kindOf(owner.answerTo("followed"))).toBe("threadBusy");
  });
});

describe("F109: a start that finds its turn ended", () => {
  test("begins the next turn of its session: meanwhile the thread is nobody else's", async () => {
    const { bench, owner, other } = await running();
    await owner.say(start("second"));
    await bench.tell(turnCompleted("t", "u"));
    expect(bench.router.turns()).toMatchObject([{ turnId: null, session: 1 }]);
    await other.say(start("others"));
    expect(kindOf(other.answerTo("others"))).toBe("threadBusy");
    await bench.answer("turn/start", begun("v"));
    await bench.tell(turnStarted("t", "v"));
    expect(bench.router.turns()).toMatchObject([{ turnId: "v", session: 1 }]);
    await other.say(start("again"));
    expect(kindOf(other.answerTo("again"))).toBe("threadBusy");
    await bench.tell(turnCompleted("t", "v"));
    expect(bench.router.turns()).toEqual([]);
  });

  test("begins it also when Codex answers before it says that the first has ended", async () => {
    const { bench, owner } = await running();
    await owner.say(start("second"));
    await bench.answer("turn/start", begun("v"));
    await bench.tell(turnCompleted("t", "u"));
    expect(bench.router.turns()).toMatchObject([{ turnId: "v", session: 1 }]);
    await bench.tell(turnStarted("t", "v"));
    await bench.tell(turnCompleted("t", "v"));
    expect(bench.router.turns()).toEqual([]);
  });

  test("begins it also when the end of the first is lost", async () => {
    const { bench, owner } = await running();
    await owner.say(start("second"));
    await bench.answer("turn/start", begun("v"));
    await bench.tell(turnStarted("t", "v"));
    expect(bench.router.turns()).toMatchObject([{ turnId: "v", session: 1 }]);
  });

  test.each([
    ["went into the ended turn", begun("u")],
    ["is refused", { error: { code: -32_600, message: "no" } }],
  ])("leaves the thread to whoever waits for it when it %s", async (_what, response) => {
    const { bench, owner, other } = await running();
    await other.say(start("waits", { whenBusy: "queue" }));
    await owner.say(start("second"));
    await owner.say(start("third"));
    const [, second, third] = bench.asked("turn/start");
    await bench.tell(turnCompleted("t", "u"));
    await bench.tell({ id: second?.id, ...response });
    expect(bench.asked("turn/start")).toHaveLength(3);
    await bench.tell({ id: third?.id, ...response });
    expect(bench.asked("turn/start")).toHaveLength(4);
    await bench.answer("turn/start", begun("w"));
    expect(other.answerTo("waits")?.result).toEqual({ turn: { id: "w" } });
    expect(bench.router.turns()).toMatchObject([{ turnId: "w", session: 2 }]);
  });

  test("begins one that is interrupted at once when its session has gone and nobody follows it", async () => {
    const { bench, owner, other } = await running();
    await other.go();
    await owner.say(start("second"));
    await owner.go();
    await bench.tell(turnCompleted("t", "u"));
    await bench.answer("turn/start", begun("v"));
    await bench.tell(turnStarted("t", "v"));
    expect(bench.asked("turn/interrupt").at(-1)?.params).toEqual({ threadId: "t", turnId: "v" });
  });
});
