import { describe, expect, test } from "vitest";
import { ItemsInProgress } from "../../src/policy/items-in-progress.ts";

const at = { threadId: "t", turnId: "u" };
const call = (id: string, text = "a"): object => ({
  type: "mcpToolCall",
  id,
  server: "notes",
  tool: "note",
  arguments: { text },
});

function approval(more: object = {}, meta: object = {}): object {
  const _meta = { tool_name: "note", tool_params: { text: "a" }, ...meta };
  return { ...at, serverName: "notes", ...more, _meta };
}

function announced(...items: readonly object[]): ItemsInProgress {
  const items_ = new ItemsInProgress();
  for (const item of items) items_.observe("item/started", { ...at, item });
  return items_;
}

describe("what a question is about", () => {
  test("is the item that it names, as long as that is in progress", () => {
    const items = announced({ type: "fileChange", id: "i" });
    expect(items.about({ threadId: "t", itemId: "i" })).toMatchObject({ type: "fileChange" });
    expect(items.about({ threadId: "t", itemId: "i" })).toMatchObject({ type: "fileChange" });
    expect(items.about({ threadId: "other", itemId: "i" })).toBeUndefined();
    items.observe("item/completed", { ...at, item: { id: "i" } });
    expect(items.about({ threadId: "t", itemId: "i" })).toBeUndefined();
  });

  test("S11: is the announced call that fits, and each call once", () => {
    const items = announced(call("one"), call("two"), call("three", "b"));
    expect([1, 2, 3].map(() => items.about(approval())?.id)).toEqual(["one", "two", undefined]);
    expect(items.about(approval({}, { tool_params: { text: "b" } }))?.id).toBe("three");
  });

  test.each<[string, object]>([
    ["another thread", approval({ threadId: "x" })],
    ["another turn", approval({ turnId: "x" })],
    ["no turn", approval({ turnId: null })],
    ["another server", approval({ serverName: "x" })],
    ["another tool", approval({}, { tool_name: "x" })],
    ["other arguments", approval({}, { tool_params: { text: "b" } })],
    ["no arguments", approval({}, { tool_params: undefined })],
    ["nothing said of the tool", { ...approval(), _meta: null }],
  ])("S11: is no call of %s", (_what, params) => {
    expect(announced(call("one")).about(params)).toBeUndefined();
  });

  test("is nothing once its own thread's turn has ended", () => {
    const items = announced(call("one"));
    items.observe("item/started", { threadId: "x", turnId: "u", item: call("two") });
    items.observe("turn/completed", { threadId: "t", turn: { id: "u" } });
    expect(items.about(approval())).toBeUndefined();
    expect(items.about(approval({ threadId: "x" }))?.id).toBe("two");
  });
});
