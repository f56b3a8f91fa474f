import { expect, test } from "vitest";
import type { BrokerClient } from "../../src/index.ts";
import { isRecord } from "../../src/wire/messages.ts";
import { eventually } from "../support/eventually.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeWorld } from "../support/world.ts";

guardAgainstLeaks();

/** A turn that has a sub-agent follow a script of its own, and goes on with the rest of this one. */
function withSubAgent(script: string, rest: string): string {
  return `tool: spawn_agent ${JSON.stringify({ message: script })} ;; ${rest}`;
}

interface Heard {
  readonly method: string;
  readonly threadId: string;
  readonly text: string;
}

/** Everything that a client is told of threads other than these. */
function listen(client: BrokerClient, others: () => readonly (string | undefined)[]): Heard[] {
  const heard: Heard[] = [];
  client.onNotification((method, params) => {
    if (!isRecord(params) || typeof params["threadId"] !== "string") return;
    const { threadId, delta } = params;
    if (others().includes(threadId)) return;
    heard.push({ method, threadId, text: typeof delta === "string" ? delta : "" });
  });
  return heard;
}

const said = (heard: readonly Heard[]): string => heard.map(({ text }) => text).join("");

test("F35: what a sub-agent does reaches those who hear the turn that it serves, whole, and nobody else", async () => {
  await using world = await makeWorld();
  await using one = await world.connect();
  await using stranger = await world.connect();
  const own: Array<string | undefined> = [];
  const heard = listen(one, () => own);
  const strange = listen(stranger, () => []);
  const turn = one.runTurn({
    prompt: withSubAgent("slow: 5x20ms child", "hold: child ;; say: done"),
  });
  for await (const event of turn) {
    if (event.type === "thread.started") own.push(event.threadId);
    if (event.type === "item.completed") break;
  }
  await eventually(
    () => heard.some(({ method }) => method === "turn/completed"),
    "the sub-agent's turn ends",
  );
  expect(said(heard)).toBe("child 1 child 2 child 3 child 4 child 5 ");
  expect(new Set(heard.map(({ threadId }) => threadId)).size).toBe(1);
  expect(heard.find(({ method }) => method === "turn/started")).toBeDefined();

  await using joined = await world.connect();
  const missed = listen(joined, () => own);
  const joining = joined.joinTurn({ threadId: turn.threadId ?? "" });
  await eventually(() => said(missed) === said(heard), "who joins is told what it said before");
  world.model.release("child");
  expect((await turn.result).message).toBe("done");
  expect((await joining.result).message).toBe("done");
  expect(strange).toEqual([]);
});

test("F65: what a sub-agent asks is asked of the turn that it serves", async () => {
  await using world = await makeWorld({
    config: { approvalPolicy: "on-request", sandboxMode: "workspace-write" },
  });
  await using client = await world.connect();
  const asked: unknown[] = [];
  const turn = client.runTurn({
    prompt: withSubAgent("shell-ask: echo from below", "hold: asked ;; say: done"),
    onQuestion: (method, params) => {
      asked.push(method, isRecord(params) && params["threadId"] !== turn.threadId);
      world.model.release("asked");
      return { decision: "decline" };
    },
  });
  expect((await turn.result).message).toBe("done");
  expect(asked).toEqual(["item/commandExecution/requestApproval", true]);
});

test("F37 F38: when the last one who heard it has gone, a sub-agent's turn ends and its thread is released", async () => {
  await using world = await makeWorld();
  await using watcher = await world.connect();
  const gone = await world.connect();
  const heard = listen(gone, () => []);
  const turn = gone.runTurn({ prompt: withSubAgent("silence", "silence") });
  turn.result.catch(() => {});
  await eventually(
    () => heard.filter(({ method }) => method === "turn/started").length === 2,
    "both turns have begun",
  );
  const loaded = async (): Promise<unknown[]> =>
    (await watcher.request("thread/loaded/list", {})).data;
  expect(await loaded()).toHaveLength(2);
  gone.close();
  await eventually(async () => (await watcher.status()).turns.length === 0, "both turns end");
  await eventually(async () => (await loaded()).length === 0, "both threads are released");
});

test("F110: what Codex sends of a sub-agent's thread before the item that names it arrives before that item", async () => {
  await using world = await makeWorld();
  await using client = await world.connect();
  const order: Array<{ readonly method: string; readonly params: Record<string, unknown> }> = [];
  client.onNotification((method, params) => {
    if (isRecord(params)) order.push({ method, params });
  });
  const turn = client.runTurn({ prompt: withSubAgent("say: child", "say: done") });
  await turn.result;
  const named = order.findIndex(
    ({ method, params: { item } }) =>
      method === "item/completed" && isRecord(item) && item["type"] === "collabAgentToolCall",
  );
  const item = order[named]?.params["item"];
  const child = isRecord(item) && (item["receiverThreadIds"] as string[])[0];
  const before = order.slice(0, named).filter(({ params }) => params["threadId"] === child);
  expect(before.map(({ method }) => method)).toContain("thread/status/changed");
});
