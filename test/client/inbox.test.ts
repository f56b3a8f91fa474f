import { describe, expect, test } from "vitest";
import { Inbox, type QuestionHandler } from "../../src/client/inbox.ts";
import { RpcError } from "../../src/wire/messages.ts";

const METHOD = "item/commandExecution/requestApproval";
const never = new AbortController().signal;

function ask(inbox: Inbox, params: object = { threadId: "t", turnId: "u" }): Promise<unknown> {
  return inbox.question(METHOD, params, never);
}

const says =
  (answer: unknown): QuestionHandler =>
  () =>
    answer;

describe("F65: a question", () => {
  test("without a handler, or with one that leaves it, is for the other sessions", async () => {
    const inbox = new Inbox();
    await expect(ask(inbox)).rejects.toMatchObject({ code: -32_601 });
    inbox.questionHandler = says(undefined);
    inbox.answerFor(() => true, says(undefined));
    await expect(ask(inbox)).rejects.toThrow(RpcError);
  });

  test("goes to the handler of its place, then to the one for all", async () => {
    const inbox = new Inbox();
    inbox.questionHandler = says("all");
    const places: unknown[] = [];
    const undo = inbox.answerFor((place) => {
      places.push(place);
      return place.threadId === "t";
    }, says("t"));
    expect(await ask(inbox)).toBe("t");
    expect(await ask(inbox, { threadId: "o", turnId: null })).toBe("all");
    expect(await ask(inbox, { conversationId: "t" })).toBe("t");
    expect(places).toEqual([
      { threadId: "t", turnId: "u" },
      { threadId: "o", turnId: null },
      { threadId: "t", turnId: undefined },
    ]);
    undo();
    expect(await ask(inbox)).toBe("all");
  });

  test("comes with the item that it is about", async () => {
    const inbox = new Inbox();
    const item = { type: "fileChange", id: "i", changes: [] };
    inbox.notification("item/started", { threadId: "t", turnId: "u", item });
    inbox.questionHandler = (_method, _params, context) => context.item;
    expect(await ask(inbox, { threadId: "t", itemId: "i" })).toEqual(item);
    await expect(ask(inbox, { threadId: "t", itemId: "x" })).rejects.toThrow(RpcError);
  });
});

test("F65: a sub-agent works for the thread that it was started from, however far up", () => {
  const inbox = new Inbox();
  for (const [id, parentThreadId] of [
    ["child", "root"],
    ["grandchild", "child"],
    ["other", null],
  ]) {
    inbox.notification("thread/started", { thread: { id, parentThreadId } });
  }
  const serves = (): boolean[] =>
    ["child", "grandchild", "other", "root"].map((id) => inbox.isSubAgentOf(id, "root"));
  expect(serves()).toEqual([true, true, false, false]);
  inbox.notification("thread/closed", { threadId: "child" });
  expect(serves()).toEqual([false, false, false, false]);
});
