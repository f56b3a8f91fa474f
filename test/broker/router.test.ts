import { describe, expect, test } from "vitest";
import { BrokerError } from "../../src/base/errors.ts";
import { Bench, turnCompleted, turnStarted } from "./bench.ts";

const APPROVAL = "item/commandExecution/requestApproval";
const WINDOW = 64;

const delta = (threadId: string, text: string): object => ({
  method: "item/agentMessage/delta",
  params: { threadId, turnId: "u", delta: text },
});

test("an app-server may write a null error beside a result: whoever asked gets it, and the thread is known (F107)", async () => {
  const bench = new Bench();
  const client = await bench.client();
  await client.say({ id: 1, method: "thread/start", params: {} });
  await bench.answer("thread/start", { result: { thread: { id: "t" } }, error: null });
  expect(client.answerTo(1)).toEqual({ id: 1, result: { thread: { id: "t" } }, error: null });
  await bench.turn(client, "t", "u");
  expect(bench.router.turnCount).toBe(1);
});

describe("requests", () => {
  test("F41: of several sessions with equal ids go under others upstream, and each has its answer", async () => {
    const bench = new Bench();
    const [one, other] = [await bench.client(), await bench.client()];
    await one.say({ id: 7, method: "thread/list", params: { a: 1 } });
    await other.say({ id: 7, method: "thread/list", params: { a: 2 } });
    const [first, second] = bench.asked("thread/list");
    expect(first?.id).not.toBe(second?.id);
    await bench.tell({ id: second?.id, result: { of: 2 } });
    await bench.tell({ id: first?.id, error: { code: -1, message: "no", data: { mine: true } } });
    expect(one.answerTo(7)?.error).toEqual({ code: -1, message: "no", data: { mine: true } });
    expect(other.answerTo(7)?.result).toEqual({ of: 2 });
  });

  test("F71: with methods and fields that nobody knows yet pass through, and so does what is told", async () => {
    const bench = new Bench();
    const [one, other] = [await bench.client(), await bench.client()];
    await one.say({ id: 1, method: "future/thing", params: { deep: [{ x: 1 }] }, extra: true });
    expect(bench.upstream).toEqual([
      { id: 1, method: "future/thing", params: { deep: [{ x: 1 }] }, extra: true },
    ]);
    await bench.tell({ id: 1, result: { new: 1 }, more: 2 });
    expect(one.answerTo(1)).toEqual({ id: 1, result: { new: 1 }, more: 2 });
    await bench.tell({ method: "future/event", params: { x: 1 } });
    for (const each of [one, other]) expect(each.methods()).toContain("future/event");
  });

  test("F69: have nothing added but the workspace, where a directory is needed and none is named", async () => {
    const bench = new Bench();
    const one = await bench.client({ experimentalApi: true });
    const cwd = Bench.WORKSPACE;
    for (const [method, params, upstream] of [
      ["thread/start", { model: "m" }, { model: "m", cwd }],
      ["thread/start", { cwd: "/other" }, { cwd: "/other" }],
      ["thread/start", { cwd: null }, { cwd }],
      [
        "command/exec",
        { command: ["ls"], processId: "p" },
        { command: ["ls"], processId: expect.stringMatching(/^s\d+-p$/), cwd },
      ],
      ["thread/resume", { threadId: "t" }, { threadId: "t" }],
      ["turn/interrupt", { threadId: "t", turnId: "u" }, { threadId: "t", turnId: "u" }],
    ] as const) {
      await one.say({ id: "x", method, params });
      expect(bench.asked(method).at(-1)?.params).toEqual(upstream);
    }
  });

  test("that are experimental are for those who asked for that", async () => {
    const bench = new Bench();
    const [plain, bold] = [await bench.client(), await bench.client({ experimentalApi: true })];
    for (const each of [plain, bold]) {
      await each.say({ id: 1, method: "server/diagnostics", params: {} });
    }
    expect(plain.answerTo(1)?.error?.message).toBe(
      "server/diagnostics requires experimentalApi capability",
    );
    expect(bench.asked("server/diagnostics")).toHaveLength(1);
  });
});

describe("events", () => {
  test("F35: of a thread reach those who hear it and nobody else; the rest is for everyone", async () => {
    const bench = new Bench();
    const [one, other] = [await bench.client(), await bench.client()];
    await bench.thread(one, "t1");
    await bench.thread(other, "t2");
    await bench.tell(delta("t1", "for one"));
    await bench.tell(delta("t2", "for other"));
    await bench.tell({ method: "account/updated", params: {} });
    const texts = (heard: typeof one.heard): unknown[] =>
      heard.flatMap(({ params }) => params?.["delta"] ?? []);
    expect(texts(one.heard)).toEqual(["for one"]);
    expect(texts(other.heard)).toEqual(["for other"]);
    for (const each of [one, other]) expect(each.methods()).toContain("account/updated");
  });

  test("F35: that come before the answer which names their thread are told after it, in order", async () => {
    const bench = new Bench();
    const [one, other] = [await bench.client(), await bench.client()];
    await one.say({ id: 1, method: "thread/start", params: {} });
    await bench.tell({ method: "thread/started", params: { thread: { id: "t" } } });
    await bench.tell({ method: "thread/status/changed", params: { threadId: "t" } });
    expect(one.heard).toEqual([]);
    await bench.answer("thread/start", { result: { thread: { id: "t" } } });
    const kinds = one.heard.map(({ id, method }) => method ?? id);
    expect(kinds).toEqual([1, "thread/started", "thread/status/changed"]);
    expect(other.heard).toEqual([]);
  });

  test("F35: of a sub-agent are for those who hear its parent, those before its introduction too", async () => {
    const bench = new Bench();
    const [one, other] = [await bench.client(), await bench.client()];
    await bench.thread(one, "parent");
    await bench.turn(one, "parent", "u");
    await bench.tell(delta("child", "early"));
    await bench.subAgent("parent", "child");
    await bench.tell(turnStarted("child", "c"));
    await bench.tell(delta("child", "late"));
    await bench.tell(turnCompleted("child", "c"));
    const ofChild = one.heard.filter(
      ({ params }) => params?.["threadId"] === "child" || params?.["thread"] !== undefined,
    );
    expect(ofChild.map(({ params, method }) => params?.["delta"] ?? method)).toEqual([
      "early",
      "thread/started",
      "turn/started",
      "late",
      "turn/completed",
    ]);
    expect(other.heard).toEqual([]);
    expect(bench.router.turns()).toMatchObject([{ threadId: "parent", turnId: "u" }]);
  });

  test("that were said once at the start are said to everyone who comes later", async () => {
    const bench = new Bench();
    await bench.tell({ method: "configWarning", params: { summary: "old name" } });
    await bench.tell({ method: "configWarning", params: { summary: "old name" } });
    await bench.tell({ method: "configWarning", params: { summary: "another" } });
    const late = await bench.client();
    expect(late.methods()).toEqual(["configWarning", "configWarning"]);
  });

  test("that a session opted out of are for the others", async () => {
    const bench = new Bench();
    const quiet = await bench.client({ optOutNotificationMethods: ["account/updated"] });
    const other = await bench.client();
    await bench.tell({ method: "account/updated", params: {} });
    await bench.tell({ method: "app/list/updated", params: {} });
    expect(quiet.methods()).toEqual(["app/list/updated"]);
    expect(other.methods()).toEqual(["account/updated", "app/list/updated"]);
  });

  test("of the account's limits wake up nobody twice for the same ones, but those whose turn it is", async () => {
    const bench = new Bench();
    const [one, other] = [await bench.client(), await bench.client()];
    await bench.thread(one, "t");
    await bench.turn(one, "t", "u");
    const limits = (usedPercent: number) =>
      bench.tell({
        method: "account/rateLimits/updated",
        params: { rateLimits: { primary: { usedPercent } } },
      });
    const toldOf = ({ heard }: typeof one): unknown[] =>
      heard
        .filter(({ method }) => method === "account/rateLimits/updated")
        .map(({ params }) => params?.["rateLimits"]);
    await limits(1);
    await limits(1);
    const late = await bench.client();
    await limits(1);
    await limits(2);
    await limits(1);
    const [first, second] = [1, 2].map((usedPercent) => ({ primary: { usedPercent } }));
    expect(toldOf(one)).toEqual([first, first, first, second, first]);
    expect(toldOf(other)).toEqual([first, second, first]);
    expect(toldOf(late)).toEqual([first, second, first]);
    await bench.tell(turnCompleted("t", "u"));
    await limits(1);
    expect(toldOf(one)).toHaveLength(5);
  });

  test("F35: by a handle reach the session that chose it, under its own name", async () => {
    const bench = new Bench();
    const [one, other] = [await bench.client(), await bench.client()];
    for (const each of [one, other]) {
      await each.say({ id: 1, method: "fs/watch", params: { path: "/x", watchId: "w" } });
      await bench.answer("fs/watch", { result: {} });
    }
    const [first, second] = bench.asked("fs/watch").map(({ params }) => params?.["watchId"]);
    expect(first).not.toBe(second);
    await bench.tell({ method: "fs/changed", params: { watchId: second, changedPaths: ["/x/a"] } });
    expect(one.methods()).toEqual([]);
    expect(other.heard.at(-1)?.params).toEqual({ watchId: "w", changedPaths: ["/x/a"] });
  });
});

describe("turns", () => {
  test("F32: are one a thread, told with their owner; a second one is refused and never steers", async () => {
    const bench = new Bench();
    const [one, other] = [await bench.client(), await bench.client()];
    await bench.thread(one, "t");
    await bench.turn(one, "t", "u");
    expect(bench.router.turns()).toMatchObject([{ threadId: "t", turnId: "u", session: 1 }]);
    for (const each of [one, other]) {
      for (const method of ["turn/start", "review/start", "thread/compact/start"]) {
        await each.say({ id: method, method, params: { threadId: "t" } });
        expect(each.answerTo(method)?.error?.data).toMatchObject({
          kind: "threadBusy",
          retryable: true,
          details: { threadId: "t", turnId: "u", session: 1 },
        });
      }
    }
    await bench.tell(turnCompleted("t", "u"));
    expect(bench.router.turns()).toEqual([]);
    await one.say({ id: "next", method: "turn/start", params: { threadId: "t" } });
    expect(bench.asked("turn/start")).toHaveLength(2);
  });

  test("F45: are known by their thread, though nobody has said their id", async () => {
    const bench = new Bench();
    const one = await bench.client();
    await bench.thread(one, "t");
    await one.say({ id: 1, method: "turn/start", params: { threadId: "t" } });
    await bench.answer("turn/start", { result: {} });
    expect(bench.router.turns()).toMatchObject([{ threadId: "t", turnId: null }]);
    await bench.tell(turnStarted("t", "u"));
    expect(bench.router.turns()).toMatchObject([{ threadId: "t", turnId: "u" }]);
  });

  test("that the app-server refuses never were: the thread is free again", async () => {
    const bench = new Bench();
    const one = await bench.client();
    await bench.thread(one, "t");
    await one.say({ id: 1, method: "turn/start", params: { threadId: "t" } });
    await bench.answer("turn/start", { error: { code: -32_600, message: "no" } });
    expect(one.answerTo(1)?.error).toEqual({ code: -32_600, message: "no" });
    expect(bench.router.turnCount).toBe(0);
  });

  test("on a thread that was not taken up here are refused: nobody would hear them", async () => {
    const bench = new Bench();
    const one = await bench.client();
    await one.say({ id: 1, method: "turn/start", params: { threadId: "elsewhere" } });
    expect(one.answerTo(1)?.error?.message).toBe("thread not found: elsewhere");
    expect(bench.upstream).toEqual([]);
  });

  test("F63: that have not begun are interrupted as soon as they have", async () => {
    const bench = new Bench();
    const [one, other] = [await bench.client(), await bench.client()];
    await bench.thread(one, "t");
    await one.say({ id: 1, method: "turn/start", params: { threadId: "t" } });
    await other.say({ id: 2, method: "turn/interrupt", params: { threadId: "t", turnId: "u" } });
    expect(bench.asked("turn/interrupt")).toEqual([]);
    await bench.answer("turn/start", { result: { turn: { id: "u" } } });
    expect(bench.asked("turn/interrupt")).toEqual([]);
    await bench.tell(turnStarted("t", "u"));
    await bench.answer("turn/interrupt", { result: {} });
    expect(other.answerTo(2)?.result).toEqual({});
  });

  test("F36: are interrupted past everything that waits", async () => {
    const bench = new Bench();
    const one = await bench.client();
    await bench.thread(one, "t");
    await bench.turn(one, "t", "u");
    for (let n = 0; n < WINDOW + 5; n += 1) {
      await one.say({ id: `r${n}`, method: "thread/list", params: {} });
    }
    expect(bench.asked("thread/list")).toHaveLength(WINDOW);
    await one.say({ id: "stop", method: "turn/interrupt", params: { threadId: "t", turnId: "u" } });
    expect(bench.asked("turn/interrupt")).toHaveLength(1);
  });
});

describe("a session that goes", () => {
  test("F37: has its turn interrupted, and F23: what it watched and ran released", async () => {
    const bench = new Bench();
    const [one, other] = [await bench.client(), await bench.client()];
    await bench.thread(one, "t1");
    await bench.turn(one, "t1", "u1");
    await bench.thread(other, "t2");
    await bench.turn(other, "t2", "u2");
    for (const each of [one, other]) {
      await each.say({ id: 5, method: "fs/watch", params: { path: "/x", watchId: "w" } });
      await bench.answer("fs/watch", { result: {} });
    }
    await one.go();
    expect(bench.asked("turn/interrupt").map(({ params }) => params)).toEqual([
      { threadId: "t1", turnId: "u1" },
    ]);
    expect(bench.asked("fs/unwatch")).toHaveLength(1);
    expect(bench.router.turns()).toMatchObject([{ session: null }, { session: 2 }]);
    await bench.tell(turnCompleted("t1", "u1"));
    expect(bench.asked("thread/unsubscribe").map(({ params }) => params)).toEqual([
      { threadId: "t1" },
    ]);
    expect(bench.router.turns()).toMatchObject([{ threadId: "t2" }]);
  });

  test("F37: has a turn interrupted that had not begun, as soon as it has", async () => {
    const bench = new Bench();
    const one = await bench.client();
    await bench.thread(one, "t");
    await one.say({ id: 1, method: "turn/start", params: { threadId: "t" } });
    await one.go();
    expect(bench.asked("turn/interrupt")).toEqual([]);
    await bench.answer("turn/start", { result: { turn: { id: "u" } } });
    await bench.tell(turnStarted("t", "u"));
    expect(bench.asked("turn/interrupt")).toHaveLength(1);
  });

  test("F37 F23: leaves no turn behind that was still waiting to be sent", async () => {
    const bench = new Bench();
    const [one, other] = [await bench.client(), await bench.client()];
    await bench.thread(one, "t");
    for (let n = 0; n < WINDOW; n += 1) {
      await one.say({ id: `r${n}`, method: "thread/list", params: {} });
    }
    await one.say({ id: "turn", method: "turn/start", params: { threadId: "t" } });
    expect(bench.asked("turn/start")).toEqual([]);
    expect(bench.router.turnCount).toBe(1);
    await one.go();
    expect(bench.router.turnCount).toBe(0);
    await bench.answer("thread/list", { result: {} });
    expect(bench.asked("turn/start")).toEqual([]);
    expect(other.heard).toEqual([]);
  });

  test("F65: has its turn go on for those who hear it, and its questions wait for them", async () => {
    const bench = new Bench();
    const [one, other] = [await bench.client(), await bench.client()];
    await bench.thread(one, "t");
    await bench.turn(one, "t", "u");
    await bench.joins(other, "t");
    await bench.tell({ id: 3, method: APPROVAL, params: { threadId: "t" } });
    await one.go();
    expect(bench.asked("turn/interrupt")).toEqual([]);
    expect(bench.router.turns()).toMatchObject([{ threadId: "t", session: null }]);
    const asked = other.heard.find(({ method }) => method === APPROVAL);
    await other.say({ id: asked?.id, result: { decision: "accept" } });
    expect(bench.upstream.at(-1)).toEqual({ id: 3, result: { decision: "accept" } });
    await other.go();
    expect(bench.asked("turn/interrupt")).toHaveLength(1);
  });

  test("F38: lets go of a thread that was still on its way to it", async () => {
    const bench = new Bench();
    const one = await bench.client();
    await one.say({ id: 1, method: "thread/start", params: {} });
    await one.go();
    await bench.answer("thread/start", { result: { thread: { id: "t" } } });
    expect(bench.asked("thread/unsubscribe").map(({ params }) => params)).toEqual([
      { threadId: "t" },
    ]);
    expect(bench.router.threadCount).toBe(0);
  });

  test("releases 400 threads and interrupts 400 turns within the window (F115)", async () => {
    const bench = new Bench();
    const [idle, busy] = [await bench.client(), await bench.client()];
    for (let n = 0; n < 400; n += 1) await bench.thread(idle, `i${n}`);
    for (let n = 0; n < 400; n += 1) {
      await bench.thread(busy, `b${n}`);
      await bench.turn(busy, `b${n}`, `u${n}`);
    }
    await idle.go();
    expect(bench.asked("thread/unsubscribe")).toHaveLength(WINDOW);
    await busy.go();
    expect(bench.asked("turn/interrupt")).toHaveLength(16);
    for (const method of ["thread/unsubscribe", "turn/interrupt"]) {
      for (let n = 0; n < 400; n += 1) {
        await bench.tell({ id: bench.asked(method)[n]?.id, result: {} });
      }
      expect(bench.asked(method)).toHaveLength(400);
    }
  });

  test("F26 F38: takes nothing from those who hear the same thread", async () => {
    const bench = new Bench();
    const [one, other] = [await bench.client(), await bench.client()];
    await bench.thread(one, "t");
    await bench.joins(other, "t");
    await one.say({ id: 2, method: "thread/unsubscribe", params: { threadId: "t" } });
    expect(one.answerTo(2)?.result).toEqual({ status: "unsubscribed" });
    await one.say({ id: 3, method: "thread/unsubscribe", params: { threadId: "t" } });
    expect(one.answerTo(3)?.result).toEqual({ status: "notSubscribed" });
    await one.go();
    expect(bench.asked("thread/unsubscribe")).toEqual([]);
    await bench.tell(delta("t", "still heard"));
    expect(other.heard.at(-1)?.params).toMatchObject({ delta: "still heard" });
    await other.go();
    expect(bench.asked("thread/unsubscribe")).toHaveLength(1);
  });
});

describe("questions of the app-server (F65)", () => {
  test("go to all who hear the thread; one answers, and all are told", async () => {
    const bench = new Bench();
    const [one, other, stranger] = [
      await bench.client(),
      await bench.client(),
      await bench.client(),
    ];
    await bench.thread(one, "t");
    await bench.joins(other, "t");
    await bench.turn(other, "t", "u");
    await bench.tell({ id: 9, method: APPROVAL, params: { threadId: "t" } });
    expect(stranger.methods()).not.toContain(APPROVAL);
    const ids = [one, other].map(({ heard }) => heard.at(-1)?.id);
    expect(new Set(ids).size).toBe(2);
    for (const id of ids) await stranger.say({ id, result: { decision: "accept" } });
    await one.say({ id: ids[1], result: { decision: "accept" } });
    expect(bench.upstream.at(-1)?.method).toBe("turn/start");
    await one.say({ id: ids[0], result: { decision: "cancel" } });
    await other.say({ id: ids[1], result: { decision: "accept" } });
    expect(bench.upstream.at(-1)).toEqual({ id: 9, result: { decision: "cancel" } });
    await bench.tell({
      method: "serverRequest/resolved",
      params: { threadId: "t", requestId: 9 },
    });
    for (const [index, client] of [one, other].entries()) {
      expect(client.heard.at(-1)?.params).toEqual({ threadId: "t", requestId: ids[index] });
    }
    expect(stranger.methods()).not.toContain("serverRequest/resolved");
  });

  test("that are open come to whoever joins the thread, after its answer", async () => {
    const bench = new Bench();
    const [one, other] = [await bench.client(), await bench.client()];
    await bench.thread(one, "t");
    await bench.turn(one, "t", "u");
    await bench.tell({ id: 9, method: APPROVAL, params: { threadId: "t" } });
    await bench.joins(other, "t");
    expect(other.heard.slice(-3).map(({ method }) => method)).toEqual([
      undefined,
      "turn/started",
      APPROVAL,
    ]);
    await other.say({ id: other.heard.at(-1)?.id, result: { decision: "accept" } });
    expect(bench.upstream.at(-1)).toEqual({ id: 9, result: { decision: "accept" } });
  });

  test("are not for a session that has left the thread", async () => {
    const bench = new Bench();
    const [one, other] = [await bench.client(), await bench.client()];
    await bench.thread(one, "t");
    await bench.turn(one, "t", "u");
    await bench.joins(other, "t");
    await bench.tell({ id: 9, method: APPROVAL, params: { threadId: "t" } });
    await other.say({ id: 5, method: "thread/unsubscribe", params: { threadId: "t" } });
    const asked = other.heard.find(({ method }) => method === APPROVAL);
    await other.say({ id: asked?.id, result: { decision: "accept" } });
    expect(bench.upstream.at(-1)?.method).not.toBeUndefined();
  });

  test("of no thread at all are declined at once", async () => {
    const bench = new Bench();
    const one = await bench.client();
    await bench.tell({ id: 10, method: "attestation/generate", params: {} });
    expect(bench.upstream).toMatchObject([{ id: 10, error: { code: -32_000 } }]);
    expect(one.heard).toEqual([]);
  });
});

describe("a broker that drains", () => {
  test("S8 F29: takes no new work, says so to all, and lets running turns, reads and interrupts go on", async () => {
    const bench = new Bench();
    const one = await bench.client();
    await bench.thread(one, "busy");
    await bench.thread(one, "idle");
    await bench.turn(one, "busy", "u");
    bench.router.drain({ reason: "superseded", reconnect: true, abnormal: false });
    const late = await bench.client();
    for (const each of [one, late]) {
      expect(each.heard.filter(({ method }) => method === "broker/draining")).toMatchObject([
        { params: { reason: "superseded" } },
      ]);
    }
    expect(bench.asked("thread/unsubscribe").map(({ params }) => params)).toEqual([
      { threadId: "idle" },
    ]);
    for (const method of ["thread/start", "thread/resume", "thread/fork", "turn/start"]) {
      await one.say({ id: method, method, params: { threadId: "idle" } });
      expect(one.answerTo(method)?.error?.data).toMatchObject({
        kind: "draining",
        retryable: true,
      });
    }
    await one.say({ id: "read", method: "thread/read", params: { threadId: "busy" } });
    await one.say({
      id: "stop",
      method: "turn/interrupt",
      params: { threadId: "busy", turnId: "u" },
    });
    expect(bench.asked("thread/read")).toHaveLength(1);
    expect(bench.asked("turn/interrupt")).toHaveLength(1);
    await bench.tell(delta("busy", "still heard"));
    expect(one.heard.at(-1)?.params).toMatchObject({ delta: "still heard" });
    await bench.tell(turnCompleted("busy", "u"));
    expect(bench.asked("thread/unsubscribe").map(({ params }) => params?.["threadId"])).toEqual([
      "idle",
      "busy",
    ]);
    expect(bench.router.turnCount).toBe(0);
  });
});

describe("an app-server that has gone", () => {
  const cause = new BrokerError("appServerExited", "It was killed.", {
    details: { signal: "SIGKILL" },
  });

  test("F11 F42: ends every turn and every request at once, with the cause, and all that come later", async () => {
    const bench = new Bench();
    const [one, other] = [await bench.client(), await bench.client()];
    await bench.thread(one, "t");
    await bench.turn(one, "t", "u");
    const item = { type: "userMessage" };
    await bench.tell({ method: "item/completed", params: { threadId: "t", turnId: "u", item } });
    await other.say({ id: 1, method: "thread/list", params: {} });
    const told = bench.calls.allAnswered;
    bench.router.lose(cause);
    await one.say({ id: 2, method: "thread/list", params: {} });
    const lost = one.heard.find(({ method }) => method === "broker/turnLost");
    expect(lost?.params).toMatchObject({
      threadId: "t",
      turnId: "u",
      error: { kind: "turnLost", details: { threadId: "t", turnId: "u", signal: "SIGKILL" } },
    });
    expect(JSON.stringify(lost)).toContain("--resume t");
    expect(other.methods()).not.toContain("broker/turnLost");
    for (const answer of [other.answerTo(1), one.answerTo(2)]) {
      expect(answer?.error?.data).toMatchObject({ kind: "appServerExited" });
    }
    expect(bench.router.turnCount).toBe(0);
    // A drain that waits for the turns hears that there are none left.
    expect(bench.calls.allAnswered + bench.calls.turnsChanged).toBeGreaterThan(told);
  });

  test("F42: ends a turn that had not begun, and the interrupt that waited for it", async () => {
    const bench = new Bench();
    const one = await bench.client();
    await bench.thread(one, "t");
    await one.say({ id: 1, method: "turn/start", params: { threadId: "t" } });
    await one.say({ id: 2, method: "turn/interrupt", params: { threadId: "t", turnId: "" } });
    bench.router.lose(cause);
    await one.say({ id: 3, method: "thread/list", params: {} });
    for (const id of [1, 2, 3]) {
      expect(one.answerTo(id)?.error?.data).toMatchObject({ kind: "appServerExited" });
    }
  });
});

test("F48: a line that is no message harms nothing but itself", async () => {
  const bench = new Bench();
  const one = await bench.client();
  await one.say([{ id: 1, method: "thread/list" }]);
  await one.say({ id: 1.5, method: "thread/list" });
  await one.say({ id: 5, method: "thread/list", params: { text: "cut \ud83d" } });
  await one.say({ id: 6, method: "thread/list", params: {} });
  expect(one.heard.map(({ id, error }) => [id, error?.code])).toEqual([
    [null, -32_600],
    [null, -32_600],
    [5, -32_600],
  ]);
  expect(bench.asked("thread/list")).toHaveLength(1);
});

test("a command that a turn runs is announced", async () => {
  const bench = new Bench();
  const one = await bench.client();
  await bench.thread(one, "t");
  await bench.turn(one, "t", "u");
  const item = (type: string): object => ({
    method: "item/started",
    params: { threadId: "t", turnId: "u", item: { type } },
  });
  await bench.tell(item("agentMessage"));
  expect(bench.calls.commandStarted).toBe(0);
  await bench.tell(item("commandExecution"));
  expect(bench.calls.commandStarted).toBe(1);
});

describe("a broker that is replaced", () => {
  const HELD = { error: { code: -32600, message: "thread t already has an active writer" } };
  const draining = { reason: "superseded by epoch 2", reconnect: true, abnormal: false };

  test("F29: owes nobody an answer: who waits for a thread's writer is sent to the successor", async () => {
    const bench = new Bench();
    const [early, late] = [await bench.client(), await bench.client()];
    await early.say({ id: 1, method: "thread/resume", params: { threadId: "t" } });
    await bench.answer("thread/resume", HELD);
    expect(early.answerTo(1)).toBeUndefined();
    await late.say({ id: 1, method: "thread/resume", params: { threadId: "t" } });
    bench.router.drain(draining);
    await bench.answer("thread/resume", HELD);
    for (const each of [early, late]) {
      expect(each.answerTo(1)?.error?.data).toMatchObject({ kind: "draining" });
    }
    expect(bench.asked("thread/resume")).toHaveLength(2);
  });

  test("F29: before its app-server has started sends everybody on, with whatever they asked", async () => {
    const bench = new Bench({ started: false });
    const client = await bench.client();
    await client.say({ id: 1, method: "thread/loaded/list", params: {} });
    bench.router.drain(draining);
    await client.say({ id: 2, method: "thread/loaded/list", params: {} });
    for (const id of [1, 2]) {
      expect(client.answerTo(id)?.error?.data).toMatchObject({ kind: "draining" });
    }
  });
});
