import { expect, test } from "vitest";
import { subAgentsIn } from "../../src/wire/sub-agents.ts";

const agent = [{ threadId: "c", parentId: "t" }];

test.each([
  ["the thread itself", "thread/started", { thread: { id: "c", parentThreadId: "t" } }],
  [
    "the call that spawned it",
    "item/completed",
    { threadId: "t", item: { type: "collabAgentToolCall", receiverThreadIds: ["c"] } },
  ],
  [
    "what it does",
    "item/started",
    { threadId: "t", item: { type: "subAgentActivity", agentThreadId: "c" } },
  ],
])("F35: a sub-agent is known by %s", (_by, method, params) => {
  expect(subAgentsIn(method, params)).toEqual(agent);
});

test.each([
  ["a thread without a parent", "thread/started", { thread: { id: "c", parentThreadId: null } }],
  ["another item", "item/completed", { threadId: "t", item: { type: "agentMessage" } }],
  [
    "a call that names nobody",
    "item/started",
    { threadId: "t", item: { type: "collabAgentToolCall" } },
  ],
  [
    "one that names itself",
    "item/completed",
    { threadId: "t", item: { type: "collabAgentToolCall", receiverThreadIds: ["t", 1] } },
  ],
  ["no parameters", "item/completed", undefined],
])("%s tells of none", (_what, method, params) => {
  expect(subAgentsIn(method, params)).toEqual([]);
});
