import { describe, expect, test } from "vitest";
import { monotonicMs } from "../../src/base/deadline.ts";
import { BrokerError } from "../../src/base/errors.ts";
import { TurnBook } from "../../src/broker/turn-book.ts";
import { reachable } from "../support/collect.ts";
import { decodeFrame, type AnswerFrame, type NotificationFrame } from "../../src/wire/frame.ts";
import { useFakeClock } from "../support/fake-clock.ts";

const owner = { name: "owner" };

function frameOf(message: object): NotificationFrame {
  return decodeFrame(Buffer.from(JSON.stringify(message))) as NotificationFrame;
}

function started(id: string, rootTurnId?: string): NotificationFrame {
  return frameOf({ method: "turn/started", params: { threadId: "t", turn: { id, rootTurnId } } });
}

function completed(id: string): NotificationFrame {
  return frameOf({ method: "turn/completed", params: { threadId: "t", turn: { id } } });
}

function answer(members: object): AnswerFrame {
  return decodeFrame(Buffer.from(JSON.stringify({ id: 1, ...members }))) as AnswerFrame;
}

/** @param history the turns that Codex's history has of the thread. */
function book(history: readonly object[] = []): {
  readonly turns: TurnBook<object>;
  readonly happened: string[];
  changes(): number;
} {
  const happened: string[] = [];
  let changes = 0;
  const turns = new TurnBook<object>({
    ask: (method) => {
      if (method === "turn/interrupt") happened.push("interrupt");
      return Promise.resolve({ data: history });
    },
    onChange: () => void (changes += 1),
    onEnd: () => happened.push("end"),
    onNext: () => happened.push("next"),
    onEndFound: () => happened.push("end found"),
    onLost: ({ id }) => happened.push(`lost ${String(id)}`),
    onStuck: () => happened.push("stuck"),
  });
  return { turns, happened, changes: () => changes };
}

describe("a turn", () => {
  test("runs from its request until its end was told", () => {
    const { turns, happened } = book();
    const turn = turns.begin("t", owner);
    expect(turns.get("t")).toBe(turn);
    turns.answered(turn, answer({ result: { turn: { id: "u" } } }));
    turns.heard("t", started("u"));
    expect(turn).toMatchObject({ id: "u", activeId: "u", owner, begun: true });
    turns.heard("t", completed("u"));
    expect(turns.size).toBe(1);
    turns.told("t", completed("another"));
    expect(turns.size).toBe(1);
    turns.told("t", completed("u"));
    expect(turns.size).toBe(0);
    expect(happened).toEqual(["end"]);
  });

  test("never was when its request is refused, unless it was seen to start", () => {
    const { turns, happened } = book();
    const refusal = answer({ error: { code: -1, message: "no" } });
    turns.answered(turns.begin("t", owner), refusal);
    expect(happened).toEqual(["end"]);
    const seen = turns.begin("t", owner);
    turns.heard("t", started("u"));
    turns.answered(seen, refusal);
    expect(turns.get("t")).toBe(seen);
    turns.lose(new BrokerError("appServerExited", "gone"));
  });

  test("F63: is interrupted once it has begun, and under the name that it runs by", () => {
    const { turns, happened } = book();
    const turn = turns.begin("t", owner);
    turns.abandon(turn);
    expect(happened).toEqual([]);
    turns.heard("t", started("u"));
    expect(happened).toEqual(["interrupt"]);
    turns.lose(new BrokerError("appServerExited", "gone"));
  });

  test("whose end was lost is ended from history, and its end is not told again", async () => {
    const { turns, happened } = book([{ id: "u", status: "completed" }]);
    turns.begin("t", owner);
    turns.heard("t", started("u"));
    await turns.vanished("t");
    expect(happened).toEqual(["end found", "end"]);
    expect(turns.wasTold("t", completed("u"))).toBe(true);
    expect(turns.wasTold("t", completed("v"))).toBe(false);
    turns.forget("t");
    expect(turns.wasTold("t", completed("u"))).toBe(false);
  });

  test("that another one overtakes is lost where history does not know it, and the other runs", async () => {
    const { turns, happened } = book();
    turns.begin("t", owner);
    turns.heard("t", started("u"));
    turns.heard("t", started("v"));
    await new Promise(setImmediate);
    expect(happened).toEqual(["lost u"]);
    expect(turns.get("t")).toMatchObject({ id: "v", owner: undefined });
    turns.lose(new BrokerError("appServerExited", "gone"));
    expect(happened).toEqual(["lost u", "lost v"]);
    expect(turns.size).toBe(0);
  });

  test("may be started by a turn of another thread, which it then works for", () => {
    const { turns } = book();
    turns.begin("root", owner).id = "u";
    expect(turns.servedBy("t", started("v", "u"))).toBe("root");
    expect(turns.servedBy("root", started("v", "u"))).toBeUndefined();
    expect(turns.servedBy("t", started("v"))).toBeUndefined();
    expect(turns.servedBy("t", completed("v"))).toBeUndefined();
    turns.lose(new BrokerError("appServerExited", "gone"));
  });
});

describe("a turn that takes long", () => {
  const clock = useFakeClock();

  test("has an age of silence that counts from its last event, of whatever kind", () => {
    const { turns } = book();
    const turn = turns.begin("t", owner);
    turns.heard("t", started("u"));
    clock.pass(60_000);
    const delta = { method: "item/agentMessage/delta", params: { threadId: "t", turnId: "u" } };
    turns.heard("t", frameOf(delta));
    expect(monotonicMs() - turn.lastEventAt).toBe(0);
    clock.pass(1_000);
    expect(monotonicMs() - turn.lastEventAt).toBe(1_000);
    turns.lose(new BrokerError("appServerExited", "gone"));
  });

  test("and runs on after two interrupts is given up, so that no drain waits for it", () => {
    const { turns, happened, changes } = book();
    const turn = turns.begin("t", owner);
    turns.heard("t", started("u"));
    turns.abandon(turn);
    clock.pass(10_000);
    const before = changes();
    expect([turn.givenUp, happened]).toEqual([false, ["interrupt", "interrupt"]]);
    clock.pass(3_000);
    expect([turn.givenUp, happened]).toEqual([true, ["interrupt", "interrupt", "stuck"]]);
    expect(changes()).toBe(before + 1);
    turns.lose(new BrokerError("appServerExited", "gone"));
  });
});

describe("a turn that has ended is released (F140)", () => {
  type Ways = Readonly<Record<string, (turns: TurnBook<object>, id: string) => void>>;
  const ways: Ways = {
    "by its end": () => {},
    "when it was interrupted": (turns) => turns.abandon(turns.get("t")!),
    "when something was added to it": (turns, id) => {
      turns.steer(turns.get("t")!)(answer({ result: { turn: { id } } }));
    },
  };

  /** Its references, and nothing else of it, leave here. */
  function ended(turns: TurnBook<object>, id: string, way: Ways[string]): WeakRef<object> {
    const turn = turns.begin("t", owner);
    turns.answered(turn, answer({ result: { turn: { id } } }));
    turns.heard("t", started(id));
    way?.(turns, id);
    turns.heard("t", completed(id));
    turns.told("t", completed(id));
    return new WeakRef(turn);
  }

  test.each(Object.entries(ways))("%s", async (_how, way) => {
    const { turns } = book();
    const refs = Array.from({ length: 20 }, (_, n) => ended(turns, `u${n}`, way));
    expect(turns.size).toBe(0);
    expect(await reachable(refs)).toBeLessThan(2);
  });

  test("when the next one began with a start that was meant for it", async () => {
    const { turns } = book();
    const refs: Array<WeakRef<object>> = [];
    turns.begin("t", owner);
    for (let n = 0; n < 20; n += 1) {
      const turn = turns.get("t")!;
      refs.push(new WeakRef(turn));
      const steered = turns.steer(turn);
      turns.heard("t", started(`u${n}`));
      turns.told("t", completed(`u${n}`));
      steered(answer({ result: { turn: { id: `u${n + 1}` } } }));
    }
    turns.told("t", completed("u20"));
    expect(turns.size).toBe(0);
    expect(await reachable(refs)).toBeLessThan(2);
  });
});
