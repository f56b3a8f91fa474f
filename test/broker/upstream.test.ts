import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { clientRequests } from "../../src/app-server/generated/methods.ts";
import { isSafeToRepeat } from "../../src/app-server/method-table.ts";
import { type Priority, Upstream, type Outcome } from "../../src/broker/upstream.ts";
import { BrokerError } from "../../src/base/errors.ts";
import { decodeFrame, type RequestFrame } from "../../src/wire/frame.ts";
import { RpcError } from "../../src/wire/messages.ts";
import { useFakeClock } from "../support/fake-clock.ts";
import { requestFrame } from "./recording-peer.ts";
import { textLineOf } from "../../src/wire/line.ts";

const WINDOW = 64;

const clock = useFakeClock();

class Setting {
  /** What went to the app-server, in order. */
  readonly sent: Array<{ id: number; method: string; params: Record<string, unknown> }> = [];
  readonly lines: string[] = [];
  readonly heard: string[] = [];
  allAnswered = 0;
  silences = 0;
  readonly upstream = new Upstream({
    onNotification: ({ method }) => void this.heard.push(method),
    onServerRequest: ({ method }) => void this.heard.push(`${method}?`),
    onWork: () => {},
    onAllAnswered: () => void (this.allAnswered += 1),
    onSilence: () => void (this.silences += 1),
  });

  static opened(): Setting {
    const setting = new Setting();
    setting.open();
    return setting;
  }

  open(): void {
    this.upstream.open((line) => {
      const text = textLineOf(line);
      this.lines.push(text);
      this.sent.push(JSON.parse(text) as (typeof this.sent)[number]);
    });
  }

  /** Sends a request of that owner; the list it gives has the outcome once there is one. */
  ask(
    owner: object,
    name: string,
    more: { method?: string; limitMs?: number; priority?: Priority } = {},
  ): Outcome[] {
    const outcomes: Outcome[] = [];
    const frame = requestFrame("own", more.method ?? "m", { name });
    const request = { owner, method: "m", limitMs: Infinity, ...more };
    this.upstream.forward(request, frame, (outcome) => outcomes.push(outcome));
    return outcomes;
  }

  receive(message: unknown): void {
    this.upstream.receive(Buffer.from(JSON.stringify(message)));
  }

  /** Answers the request that had this name. */
  answer(name: string): void {
    const { id } = this.sent.find(({ params }) => params["name"] === name)!;
    this.receive({ id, result: { of: name } });
  }

  names(): unknown[] {
    return this.sent.map(({ params }) => params["name"]);
  }
}

const resultIn = ([outcome]: Outcome[]): unknown =>
  outcome === undefined || BrokerError.is(outcome) ? outcome : outcome.result;

describe("a request on its way through (F41)", () => {
  test("gets an id of the broker's own, and is byte for byte the same otherwise", () => {
    const setting = Setting.opened();
    const text = '{ "params":{"n":9007199254740993 , "s":"\\u00e4"}, "id" :"x", "method":"m" }';
    const frame = decodeFrame(Buffer.from(text)) as RequestFrame;
    setting.upstream.forward({ owner: {}, method: "m", limitMs: 1 }, frame, () => {});
    expect(setting.lines).toEqual([text.replace('"x"', "1")]);
  });

  test("gets its own answer, whatever the order in which they come, and only one", () => {
    fc.assert(
      fc.property(
        fc
          .array(fc.nat({ max: 3 }), { minLength: 1, maxLength: 40 })
          .chain((owners) =>
            fc.tuple(
              fc.constant(owners),
              fc.shuffledSubarray([...owners.keys()], { minLength: owners.length }),
            ),
          ),
        ([owners, order]) => {
          const setting = Setting.opened();
          const sessions = [{}, {}, {}, {}];
          const outcomes = owners.map((owner, n) => setting.ask(sessions[owner]!, `r${n}`));
          for (const n of order) {
            setting.answer(`r${n}`);
            setting.answer(`r${n}`);
          }
          expect(outcomes.map(resultIn)).toEqual(owners.map((_owner, n) => ({ of: `r${n}` })));
          expect(outcomes.every(({ length }) => length === 1)).toBe(true);
          expect(setting.upstream.outstanding).toBe(0);
          expect(setting.allAnswered).toBe(1);
        },
      ),
    );
  });

  test("is not answered by an id that is only written alike, or by none that is known", () => {
    const setting = Setting.opened();
    const outcomes = setting.ask({}, "a");
    for (const id of ["1", 2, -1]) setting.receive({ id, result: "wrong" });
    expect(outcomes).toEqual([]);
    setting.receive({ id: 1, error: { code: -5, message: "no" } });
    expect(outcomes).toMatchObject([{ kind: "answer", error: { code: -5, message: "no" } }]);
  });
});

describe("the window (F32)", () => {
  const manyFrom = (setting: Setting, owner: object, name: string, count: number): Outcome[][] =>
    Array.from({ length: count }, (_each, n) => setting.ask(owner, `${name}${n}`));

  test("lets so many through, and the next one when an answer has come", () => {
    const setting = Setting.opened();
    manyFrom(setting, {}, "r", WINDOW + 3);
    expect(setting.names()).toHaveLength(WINDOW);
    setting.answer("r7");
    setting.answer("r3");
    expect(setting.names().slice(WINDOW)).toEqual([`r${WINDOW}`, `r${WINDOW + 1}`]);
    expect(setting.upstream.outstanding).toBe(WINDOW);
  });

  test("is shared in turn: a thousand requests of one delay another's by one round", () => {
    const setting = Setting.opened();
    const [greedy, modest] = [{}, {}];
    manyFrom(setting, greedy, "g", 1_000);
    setting.ask(modest, "m0");
    setting.ask(modest, "m1");
    expect(setting.upstream.waitingOf(greedy)).toBe(1_000 - WINDOW);
    for (let n = 0; n < 4; n += 1) setting.answer(`g${n}`);
    expect(setting.names().slice(WINDOW)).toEqual(["g64", "m0", "g65", "m1"]);
    expect(setting.upstream.waitingOf(modest)).toBe(0);
  });

  test("F36: keeps out nothing that is urgent", () => {
    const setting = Setting.opened();
    manyFrom(setting, {}, "r", WINDOW + 1);
    setting.ask({}, "interrupt", { priority: "urgent" });
    expect(setting.names().at(-1)).toBe("interrupt");
    setting.answer("interrupt");
    expect(setting.names()).toHaveLength(WINDOW + 1);
  });

  test("holds the broker's own requests as those of one more session (F115)", () => {
    const setting = Setting.opened();
    const own = Array.from({ length: 400 }, (_each, n) =>
      setting.upstream.request("m", { name: `own${n}` }, 5_000),
    );
    manyFrom(setting, {}, "r", 2);
    expect(setting.names()).toHaveLength(WINDOW);
    setting.answer("own0");
    setting.answer("own1");
    expect(setting.names().slice(WINDOW)).toEqual(["own64", "r0"]);
    for (let n = 2; n < 400; n += 1) setting.answer(`own${n}`);
    expect(setting.names()).toHaveLength(402);
    return Promise.all(own);
  });

  test("holds urgent requests too, with places of their own, and never a probe (F115)", () => {
    const setting = Setting.opened();
    manyFrom(setting, {}, "r", 2 * WINDOW);
    for (let n = 0; n < 400; n += 1) setting.ask({}, `urgent${n}`, { priority: "urgent" });
    expect(setting.names()).toHaveLength(WINDOW + 16);
    setting.ask({}, "probe", { priority: "probe" });
    expect(setting.names().at(-1)).toBe("probe");
    setting.answer("urgent3");
    expect(setting.names().at(-1)).toBe("urgent16");
    setting.answer("r0");
    expect(setting.names().at(-1)).toBe(`r${WINDOW}`);
  });

  test("F12: is left by nobody while the app-server answers nothing: it may be stuck, and takes no more", () => {
    const setting = Setting.opened();
    manyFrom(setting, {}, "r", 3 * WINDOW);
    clock.pass(2_000, 500);
    expect(setting.silences).toBe(0);
    clock.pass(60_000, 500);
    expect(setting.names()).toHaveLength(WINDOW);
    expect(setting.silences).toBeGreaterThan(10);
    setting.answer("r0");
    clock.pass(500);
    expect(setting.names()).toHaveLength(2 * WINDOW);
  });

  test("is left by a request that takes long while others are answered: that one is being worked on", () => {
    const setting = Setting.opened();
    const slow = manyFrom(setting, {}, "slow", WINDOW);
    setting.ask({}, "probe", { priority: "probe" });
    setting.ask({}, "next");
    clock.pass(2_000, 500);
    expect(setting.names()).not.toContain("next");
    setting.answer("probe");
    clock.pass(500);
    expect(setting.names()).toContain("next");
    setting.answer("next");
    // Its answer, when it comes, frees no second place.
    manyFrom(setting, {}, "more", WINDOW + 1);
    const before = setting.names().length;
    setting.answer("slow0");
    expect(setting.names()).toHaveLength(before);
    expect(resultIn(slow[0] ?? [])).toEqual({ of: "slow0" });
  });

  test("opens with the app-server: what was asked before waits, urgent or not, and is then sent", () => {
    const setting = new Setting();
    const outcomes = manyFrom(setting, {}, "early", 3);
    outcomes.push(setting.ask({}, "interrupt", { priority: "urgent" }));
    expect(setting.upstream.outstanding).toBe(0);
    setting.open();
    expect(new Set(setting.names())).toEqual(new Set(["early0", "early1", "early2", "interrupt"]));
    for (const name of setting.names()) setting.answer(String(name));
    expect(outcomes.map((each) => each.length)).toEqual([1, 1, 1, 1]);
  });

  test("F23: is left by a session that goes: what it had waiting is settled and never sent", () => {
    const setting = Setting.opened();
    const [gone, stays] = [{}, {}];
    const sent = manyFrom(setting, gone, "sent", WINDOW);
    const waiting = manyFrom(setting, gone, "waiting", 2);
    const others = setting.ask(stays, "others");
    setting.upstream.withdraw(gone);
    expect(waiting.map(([outcome]) => outcome)).toMatchObject([
      { kind: "connectionClosed" },
      { kind: "connectionClosed" },
    ]);
    expect(sent.flat()).toEqual([]);
    setting.answer("sent0");
    expect(setting.names().slice(WINDOW)).toEqual(["others"]);
    setting.answer("others");
    expect(others).toHaveLength(1);
  });
});

describe("a request that is not answered (F12)", () => {
  test("is ended at its limit, counted from when it was sent, and its late answer is dropped", () => {
    const setting = Setting.opened();
    const bounded = setting.ask({}, "bounded", { limitMs: 5_000 });
    const unbounded = setting.ask({}, "unbounded");
    clock.pass(5_000, 500);
    expect(bounded).toEqual([]);
    clock.pass(500);
    expect(bounded).toMatchObject([
      { kind: "requestTimedOut", details: { method: "m", limitMs: 5_000 } },
    ]);
    setting.answer("bounded");
    clock.pass(3_600_000, 60_000);
    expect(bounded).toHaveLength(1);
    expect(unbounded).toEqual([]);
    expect(setting.upstream.outstanding).toBe(1);
  });

  test("costs no time while it waits for a place", () => {
    const setting = new Setting();
    const outcomes = setting.ask({}, "early", { limitMs: 1_000 });
    clock.pass(60_000);
    setting.open();
    clock.pass(500);
    expect(outcomes).toEqual([]);
    setting.answer("early");
    expect(outcomes).toHaveLength(1);
  });
});

describe("F99: a message of the app-server that is too long to be read", () => {
  const head = (text: string): Buffer => Buffer.from(text);

  test("as an answer is told to the one who asked, and makes room for the next", () => {
    const setting = Setting.opened();
    const all = Array.from({ length: WINDOW + 1 }, (_each, n) => setting.ask({}, `r${n}`));
    expect(setting.upstream.receiveOversized(head('{"id":2,"result":{"data":"xx'), 1_000)).toBe(
      true,
    );
    expect(all[1]).toMatchObject([
      { kind: "frameTooLarge", details: { method: "m", limitBytes: 1_000 } },
    ]);
    expect(all.filter(({ length }) => length > 0)).toHaveLength(1);
    expect(setting.names()).toHaveLength(WINDOW + 1);
    // Its time was over, or it had never been asked for.
    expect(setting.upstream.receiveOversized(head('{"id":2,"result":['), 1_000)).toBe(true);
    expect(all.filter(({ length }) => length > 0)).toHaveLength(1);
  });

  test("as a question is declined, as an event missed", () => {
    const setting = Setting.opened();
    const method = "item/commandExecution/requestApproval";
    for (const text of [
      `{"method":"${method}","id":0,"params":{"x`,
      '{"method":"item/completed","params":{"x',
    ]) {
      expect(setting.upstream.receiveOversized(head(text), 1_000)).toBe(true);
    }
    expect(setting.sent).toEqual([{ id: 0, result: { decision: "decline" } }]);
    expect(setting.heard).toEqual([]);
  });

  test("of another form is nobody's", () => {
    const setting = Setting.opened();
    const outcomes = setting.ask({}, "r");
    for (const text of [
      '{"error":{"message":"x',
      '{"result":{"id":1,',
      '{"id":"1","result":',
      "{",
    ]) {
      expect(setting.upstream.receiveOversized(head(text), 1_000)).toBe(false);
    }
    expect(outcomes).toEqual([]);
  });
});

describe("the end of the app-server (F42)", () => {
  test("settles all that was sent and all that waited, with the cause, and whoever comes later", async () => {
    const setting = Setting.opened();
    const cause = new BrokerError("appServerExited", "It was killed.");
    const outcomes = Array.from({ length: WINDOW + 5 }, (_each, n) => setting.ask({}, `r${n}`));
    const own = setting.upstream.request("own", {}, 1_000);
    setting.upstream.close(cause);
    setting.upstream.close(new BrokerError("usage", "another cause"));
    expect(outcomes.every(([outcome]) => outcome === cause)).toBe(true);
    await expect(own).rejects.toBe(cause);
    const later = [setting.ask({}, "later"), setting.ask({}, "urgent", { priority: "urgent" })];
    expect(later).toEqual([[cause], [cause]]);
    await expect(setting.upstream.request("own", {}, 1_000)).rejects.toBe(cause);
    setting.answer("r0");
    clock.pass(60_000, 500);
    expect(outcomes.every(({ length }) => length === 1)).toBe(true);
    expect(setting.names()).not.toContain("later");
    expect(setting.upstream.outstanding).toBe(0);
    // Whoever waits for the last answer waits no longer.
    expect(setting.allAnswered).toBe(1);
  });

  test("before it has begun settles what waited for it", () => {
    const setting = new Setting();
    const outcomes = setting.ask({}, "early");
    const cause = new BrokerError("appServerStartFailed", "No.");
    setting.upstream.close(cause);
    expect(outcomes).toEqual([cause]);
  });

  test("may be answered by more requests: those are settled too, and nothing runs in circles", () => {
    const setting = Setting.opened();
    const again: Outcome[] = [];
    const request = { owner: {}, method: "m", limitMs: 1 };
    const frame = requestFrame(1, "m", {});
    setting.upstream.forward(request, frame, () =>
      setting.upstream.forward(request, frame, (outcome) => again.push(outcome)),
    );
    const cause = new BrokerError("appServerExited", "It was killed.");
    setting.upstream.close(cause);
    expect(again).toEqual([cause]);
  });
});

describe("a request of the broker's own", () => {
  test("has the result, or fails with the app-server's own error", async () => {
    const setting = Setting.opened();
    const good = setting.upstream.request("good", { name: "good" }, 1_000);
    const bad = setting.upstream.request("bad", { name: "bad" }, 1_000);
    setting.receive({ id: 2, error: { code: -7, message: "no", data: 1 } });
    setting.answer("good");
    expect(await good).toEqual({ of: "good" });
    await expect(bad).rejects.toMatchObject({ name: RpcError.name, code: -7, data: 1 });
  });

  test("ends at its limit, counted from when it was sent", async () => {
    const setting = Setting.opened();
    for (let n = 0; n < WINDOW; n += 1) setting.ask({}, `r${n}`);
    const own = setting.upstream.request("own", { name: "own" }, 1_000);
    clock.pass(1_500, 500);
    expect(setting.names()).not.toContain("own");
    setting.answer("r0");
    expect(setting.names().at(-1)).toBe("own");
    clock.pass(1_500, 500);
    await expect(own).rejects.toMatchObject({ kind: "requestTimedOut" });
  });
});

describe("what the app-server says", () => {
  test("goes to where it belongs, and a bad line harms nothing (F48)", () => {
    const setting = Setting.opened();
    const outcomes = setting.ask({}, "a");
    for (const line of ["nonsense", "{}", "", "[]"]) setting.upstream.receive(Buffer.from(line));
    setting.receive({ method: "told" });
    setting.receive({ id: 1, method: "asked" });
    setting.answer("a");
    expect(setting.heard).toEqual(["told", "asked?"]);
    expect(outcomes).toHaveLength(1);
  });

  test("S7: is proof of its health only if it is an answer", () => {
    const setting = new Setting();
    expect(setting.upstream.lastAnswerMsAgo).toBeNull();
    setting.open();
    clock.pass(700);
    setting.receive({ method: "told" });
    expect(setting.upstream.lastAnswerMsAgo).toBe(700);
    setting.receive({ id: 99, result: 1 });
    expect(setting.upstream.lastAnswerMsAgo).toBe(0);
  });
});

describe("an app-server that is overloaded (F33)", () => {
  const OVERLOADED = { code: -32_001, message: "Server overloaded; retry later." };
  const SAFE = "thread/list";

  const refuseLast = (setting: Setting): void =>
    setting.receive({ id: setting.sent.at(-1)?.id, error: OVERLOADED });

  test("F46: is asked again for what only reads, a few times, and then its answer is told", () => {
    const setting = Setting.opened();
    const outcomes = setting.ask({}, "read", { method: SAFE });
    for (let times = 1; times <= 5; times += 1) {
      refuseLast(setting);
      expect(setting.names()).toHaveLength(times);
      expect(setting.upstream.outstanding).toBe(1);
      clock.pass(100 * 2 ** times);
      expect(setting.names()).toHaveLength(times + 1);
    }
    expect(outcomes).toEqual([]);
    expect(setting.allAnswered).toBe(0);
    refuseLast(setting);
    clock.pass(60_000);
    expect(setting.names()).toHaveLength(6);
    expect(outcomes).toMatchObject([{ error: OVERLOADED }]);
    expect(setting.allAnswered).toBe(1);
  });

  test("F46: is sent nothing twice that may have acted, whatever it answers or how it ends", () => {
    const acting = [
      ...Object.keys(clientRequests).filter((method) => !isSafeToRepeat(method)),
      "future/thing",
    ];
    expect(acting.length).toBeGreaterThan(100);
    const setting = Setting.opened();
    for (const method of acting) {
      const outcomes = setting.ask({}, method, { method, limitMs: 1_000 });
      refuseLast(setting);
      expect(outcomes).toMatchObject([{ error: OVERLOADED }]);
      const timedOut = setting.ask({}, `${method} late`, { method, limitMs: 1_000 });
      clock.pass(3_000, 500);
      expect(timedOut).toMatchObject([{ kind: "requestTimedOut" }]);
    }
    clock.pass(600_000);
    expect(setting.names()).toHaveLength(2 * acting.length);
  });

  test("F23: is not asked again for a session that has gone, or after its end", () => {
    const setting = Setting.opened();
    const gone = {};
    const outcomes = setting.ask(gone, "gone", { method: SAFE });
    refuseLast(setting);
    setting.upstream.withdraw(gone);
    expect(outcomes).toMatchObject([{ kind: "connectionClosed" }]);
    const late = setting.ask({}, "late", { method: SAFE });
    refuseLast(setting);
    setting.upstream.close(new BrokerError("appServerExited", "It was killed."));
    expect(late).toMatchObject([{ kind: "appServerExited" }]);
    clock.pass(60_000);
    expect(setting.names()).toEqual(["gone", "late"]);
  });
});
