import { describe, expect, test } from "vitest";
import { EndWatch, stateOfTurn, type AskCodex } from "../../src/client/end-watch.ts";
import { BrokerError } from "../../src/base/errors.ts";
import { deferred } from "../../src/base/deferred.ts";
import { RpcError } from "../../src/wire/messages.ts";

type Answer = object | Error;

interface Watched {
  readonly watch: EndWatch;
  readonly over: Promise<unknown>;
  readonly asked: string[];
}

/** A watch over turn `u` of thread `t`; the last of the answers to a method holds for ever. */
function watched(answers: Readonly<Record<string, Answer[]>>): Watched {
  const over = deferred<unknown>();
  const asked: string[] = [];
  const ask: AskCodex = (method) => {
    asked.push(method);
    const left = answers[method] ?? [];
    const answer = left.length > 1 ? left.shift() : left[0];
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  };
  const watch = new EndWatch({
    ask,
    turn: () => ({ threadId: "t", turnId: "u" }),
    onOver: over.resolve,
  });
  watch.start();
  return { watch, over: over.promise, asked };
}

const page = (...turns: object[]): object => ({ data: turns });
const ended = { id: "u", status: "completed", items: [] };
const running = { id: "u", status: "inProgress", items: [] };
const noAnswer = new BrokerError("requestTimedOut", "No answer in time.");
const refused = new RpcError({ code: -32_600, message: "no rollout found" });
const CLOSINGS: Array<[string, Record<string, unknown>]> = [
  ["thread/closed", { threadId: "t" }],
  ["thread/deleted", { threadId: "t" }],
  ["thread/status/changed", { threadId: "t", status: { type: "notLoaded" } }],
];

describe("a turn whose thread is closed under it", () => {
  test.each(CLOSINGS)("F102: ends with what Codex's history says, after %s", async (...closing) => {
    const { watch, over } = watched({ "thread/turns/list": [page(ended)] });
    watch.heard(...closing);
    expect(await over).toEqual(ended);
  });

  test("F102: is over where neither the history nor the thread knows it", async () => {
    const { watch, over, asked } = watched({
      "thread/turns/list": [refused],
      "thread/read": [{ thread: { status: { type: "notLoaded" } } }],
    });
    watch.heard("thread/closed", { threadId: "t" });
    expect(await over).toBeUndefined();
    // A turn that has just been accepted may stand nowhere yet.
    expect(asked).toHaveLength(4);
  });

  test("F102 F185: goes on when that was said of the thread's former life", async () => {
    const { watch, over, asked } = watched({
      "thread/turns/list": [page(running), page(running), page(ended)],
    });
    watch.heard("thread/closed", { threadId: "t" });
    expect(await over).toEqual(ended);
    expect(asked).toHaveLength(3);
  });

  test("F114: is asked for again when there is no answer, which proves nothing", async () => {
    const { watch, over } = watched({
      "thread/turns/list": [noAnswer, noAnswer, page(ended)],
      "thread/read": [noAnswer],
    });
    watch.heard("thread/closed", { threadId: "t" });
    expect(await over).toEqual(ended);
  });

  test("F102: before it has begun, the end is looked for when it has", async () => {
    const { watch, over } = watched({ "thread/turns/list": [page(ended)] });
    watch.stop();
    watch.suspect();
    watch.start();
    expect(await over).toEqual(ended);
  });
});

describe("the state of a turn", () => {
  const ask =
    (answers: Readonly<Record<string, Answer>>): AskCodex =>
    (method) => {
      const answer = answers[method];
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    };
  const active = { thread: { status: { type: "active" } } };

  test("of a thread that is not saved is that of the thread", async () => {
    const unsaved = ask({ "thread/turns/list": refused, "thread/read": active });
    expect(await stateOfTurn(unsaved, "t", "u")).toBe("running");
  });

  test("F114: is unknown without an answer", async () => {
    const silent = ask({ "thread/turns/list": noAnswer });
    await expect(stateOfTurn(silent, "t", "u")).rejects.toBe(noAnswer);
    const half = ask({ "thread/turns/list": page(), "thread/read": noAnswer });
    await expect(stateOfTurn(half, "t", "u")).rejects.toBe(noAnswer);
  });
});
