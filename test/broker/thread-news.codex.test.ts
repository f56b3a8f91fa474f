import { describe, expect, test } from "vitest";
import { isRecord } from "../../src/wire/messages.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeWorld, type World } from "../support/world.ts";
import { RawSession, type Message } from "./raw-session.ts";

guardAgainstLeaks();

interface Setting extends AsyncDisposable {
  readonly world: World;
  readonly one: RawSession;
  readonly other: RawSession;
  readonly threadId: string;
}

const input = (text: string): object[] => [{ type: "text", text }];
const about = (threadId: string, method: string) => (message: Message) =>
  message.method === method && message.params?.["threadId"] === threadId;

async function startThread(session: RawSession): Promise<string> {
  const { result } = await session.ask("thread/start", {});
  return isRecord(result?.["thread"]) ? String(result["thread"]["id"]) : "";
}

/** Two sessions, and a stored thread that Codex has unloaded. */
async function setting(): Promise<Setting> {
  const world = await makeWorld();
  const client = await world.connect();
  const one = await RawSession.initialized(client.record.endpoint);
  const other = await RawSession.initialized(client.record.endpoint);
  client.close();
  const threadId = await startThread(one);
  await one.ask("turn/start", { threadId, input: input("say: stored") });
  await one.nextOf("turn/completed");
  await one.ask("thread/unsubscribe", { threadId });
  for (const each of [one, other]) await each.next(about(threadId, "thread/closed"));
  return {
    world,
    one,
    other,
    threadId,
    async [Symbol.asyncDispose]() {
      await one[Symbol.asyncDispose]();
      await other[Symbol.asyncDispose]();
      await world[Symbol.asyncDispose]();
    },
  };
}

const CHANGES: ReadonlyArray<readonly [method: string, params: object, news: string]> = [
  ["thread/name/set", { name: "a name" }, "thread/name/updated"],
  ["thread/goal/set", { objective: "a goal" }, "thread/goal/updated"],
  ["thread/goal/clear", {}, "thread/goal/cleared"],
  ["thread/archive", {}, "thread/archived"],
  ["thread/unarchive", {}, "thread/unarchived"],
  ["thread/delete", {}, "thread/deleted"],
];

test(
  "news of a thread that is not loaded reaches every session, a turn of another thread or not (F106)",
  { timeout: 60_000 },
  async () => {
    await using at = await setting();
    const { one, other, threadId } = at;
    for (const [method, params, news] of CHANGES.slice(0, 5)) {
      expect((await one.ask(method, { threadId, ...params })).error).toBeUndefined();
      for (const each of [one, other]) await each.next(about(threadId, news));
    }
    const busy = await startThread(other);
    await other.ask("turn/start", { threadId: busy, input: input("hold: turn") });
    for (const [method, params, news] of CHANGES) {
      expect((await other.ask(method, { threadId, ...params })).error).toBeUndefined();
      const times = news === "thread/deleted" ? 1 : 2;
      for (const each of [one, other]) {
        await each.next(() => each.messages.filter(about(threadId, news)).length === times);
      }
    }
    at.world.model.release("turn");
    await other.next(about(busy, "turn/completed"));
    expect(one.messages.filter(about(busy, "turn/completed"))).toEqual([]);
  },
);

test("an archive reaches the subscribers of a loaded thread, after the end of its turn (F106 F102)", async () => {
  await using at = await setting();
  const { one, other } = at;
  const threadId = await startThread(one);
  await one.ask("turn/start", { threadId, input: input("say: stored") });
  await one.next(about(threadId, "turn/completed"));
  await one.ask("turn/start", { threadId, input: input("silence") });
  await other.ask("thread/archive", { threadId });
  for (const each of [one, other]) await each.next(about(threadId, "thread/archived"));
  const mine = one.messages.filter(({ params }) => params?.["threadId"] === threadId);
  const order = mine.map(({ method }) => method);
  expect(order.filter((method) => method === "turn/completed")).toHaveLength(2);
  expect(order.at(-1)).toBe("thread/archived");
  const next = await one.ask("turn/start", { threadId, input: input("say: no") });
  expect(next.error?.message).toContain("thread not found");
});

describe("a thread that is resumed soon after Codex has unloaded it (F185)", () => {
  test("does not receive the end of its former life, and its turn completes", async () => {
    await using at = await setting();
    const { one, other, threadId } = at;
    for (const each of [other, one]) {
      const { id } = await each.ask("thread/resume", { threadId, excludeTurns: true });
      const answeredAt = each.messages.findIndex(
        (message) => message.id === id && message.method === undefined,
      );
      await each.ask("turn/start", { threadId, input: input("say: again") });
      await each.next(
        (message) =>
          each.messages.indexOf(message) > answeredAt && about(threadId, "turn/completed")(message),
      );
      const since = each.messages.slice(answeredAt);
      expect(since.map(({ method }) => method)).not.toContain("thread/closed");
      expect(since.map(({ params }) => params?.["status"])).not.toContainEqual({
        type: "notLoaded",
      });
    }
  });

  test("completes the turn of a library client that begins it", async () => {
    await using at = await setting();
    await using client = await at.world.connect();
    const turn = client.runTurn({ threadId: at.threadId, prompt: "say: again" });
    expect(await turn.result).toMatchObject({ status: "completed", message: "again" });
  });
});
