import { truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { pause } from "../../src/base/deadline.ts";
import { isRecord } from "../../src/wire/messages.ts";
import { eventually } from "../support/eventually.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeWorld, type World } from "../support/world.ts";
import { RawSession, type Message } from "./raw-session.ts";

guardAgainstLeaks();

const KIB = 1024;
const MIB = 1024 * KIB;
const WAIT_MS = 30_000;

type Limits = NonNullable<Parameters<World["connect"]>[0]>["limits"];

/** A world whose broker runs within these limits, and where it listens. */
async function limited(limits: Limits): Promise<{ world: World; endpoint: string }> {
  const world = await makeWorld();
  const client = await world.connect(limits === undefined ? {} : { limits });
  client.close();
  return { world, endpoint: client.record.endpoint };
}

function threadIn({ result }: Message): string {
  const thread = result?.["thread"];
  return isRecord(thread) ? String(thread["id"]) : "";
}

const kindOf = ({ error }: Message): unknown => error?.data?.["kind"];

describe("F39: a client that does not read", () => {
  test("is cut off and told why, and nobody else notices", { timeout: 60_000 }, async () => {
    const { world, endpoint } = await limited({ maxUnreadBytes: 6 * MIB });
    await using _end = world;
    await using owner = await RawSession.initialized(endpoint);
    await using slow = await RawSession.initialized(endpoint);
    await using bystander = await RawSession.initialized(endpoint);
    const opened = await owner.ask("thread/start", {});
    const threadId = threadIn(opened);
    const stream = Array(4).fill("stream: 750 deltas at 400/s of 4096 bytes").join(" ;; ");
    const input = [{ type: "text", text: `say: ready ;; hold: gate ;; ${stream}` }];
    await owner.ask("turn/start", { threadId, input });
    await owner.nextOf("item/completed");
    const joined = await slow.ask("thread/resume", { threadId, excludeTurns: true });
    expect(joined.error).toBeUndefined();
    slow.socket.pause();
    world.model.release("gate");
    const status = async (): Promise<Record<string, unknown>> =>
      (await bystander.ask("broker/status")).result ?? {};
    const slowestMs = await slowestAnswerMs(bystander);
    await eventually(
      async () => (await status())["disconnected"]?.toString() !== "",
      "the slow one is cut off",
      WAIT_MS,
    );
    expect(await status()).toMatchObject({
      sessions: [{ id: expect.any(Number) }, { id: expect.any(Number) }],
      disconnected: [{ client: "raw 0", reason: "clientTooSlow" }],
    });
    slow.socket.resume();
    await slow.ended;
    expect(slow.messages.at(-1)).toMatchObject({
      method: "broker/closing",
      params: { error: { kind: "clientTooSlow", details: { maxUnreadBytes: 6 * MIB } } },
    });
    await owner.nextOf("turn/completed");
    const deltas = owner.methods().filter((method) => method === "item/agentMessage/delta");
    expect(deltas).toHaveLength(3001);
    expect(slowestMs).toBeLessThan(5_000);
    expect(slow.messages.length).toBeGreaterThan(100);
  });
});

/** How long the slowest of some answers takes that are asked for while the turn streams. */
async function slowestAnswerMs(session: RawSession): Promise<number> {
  let slowestMs = 0;
  for (let asked = 0; asked < 20; asked += 1) {
    const askedAt = performance.now();
    await session.ask("thread/loaded/list");
    slowestMs = Math.max(slowestMs, performance.now() - askedAt);
    await pause(25);
  }
  return slowestMs;
}

describe("F99: an answer of Codex that is too long for one message", () => {
  test("is refused to the one who asked, with the reason; turns and others go on", async () => {
    const { world, endpoint } = await limited({});
    await using _end = world;
    await using session = await RawSession.initialized(endpoint);
    await using other = await RawSession.initialized(endpoint);
    const before = (await other.ask("broker/status")).result;
    const threadId = threadIn(await other.ask("thread/start"));
    const input = [{ type: "text", text: "say: ready ;; hold: gate ;; say: done" }];
    await other.ask("turn/start", { threadId, input });
    await other.nextOf("item/completed");
    // Nothing on the disk, and 133 MiB as base64.
    const path = join(world.workspace, "big");
    await writeFile(path, "");
    await truncate(path, 100 * MIB);
    const asked = session.ask("fs/readFile", { path });
    expect((await other.ask("thread/loaded/list")).error).toBeUndefined();
    const refused = await asked;
    expect(kindOf(refused)).toBe("frameTooLarge");
    expect(refused.error?.message).toContain("answer to fs/readFile has more than");
    expect(refused.error?.data?.["hint"]).toContain("Ask for less at once");
    await truncate(path, 8 * MIB);
    const { result } = await session.ask("fs/readFile", { path });
    expect(result?.["dataBase64"]).toBe(Buffer.alloc(8 * MIB).toString("base64"));
    world.model.release("gate");
    const done = await other.nextOf("turn/completed");
    expect(done.params?.["turn"]).toMatchObject({ status: "completed" });
    const after = (await other.ask("broker/status")).result;
    expect([after?.["pid"], after?.["epoch"]]).toEqual([before?.["pid"], before?.["epoch"]]);
  });
});

describe("F39: beyond its limits a broker refuses with a reason", () => {
  test("sessions", async () => {
    const { world, endpoint } = await limited({ maxSessions: 2 });
    await using _end = world;
    await using one = await RawSession.initialized(endpoint);
    await using other = await RawSession.initialized(endpoint);
    await using third = await RawSession.open(endpoint);
    const clientInfo = { name: "third", title: null, version: "0" };
    const refused = await third.ask("initialize", { clientInfo });
    expect(kindOf(refused)).toBe("tooManySessions");
    await third.ended;
    for (const each of [one, other]) {
      expect((await each.ask("thread/loaded/list")).error).toBeUndefined();
    }
  });

  test("threads", async () => {
    const { world, endpoint } = await limited({ maxThreads: 2 });
    await using _end = world;
    await using session = await RawSession.initialized(endpoint);
    const [first] = [await session.ask("thread/start"), await session.ask("thread/start")];
    expect(kindOf(await session.ask("thread/start"))).toBe("tooManyThreads");
    const threadId = threadIn(first);
    await session.ask("thread/unsubscribe", { threadId });
    expect((await session.ask("thread/start")).error).toBeUndefined();
  });

  test("bytes of a message", async () => {
    const { world, endpoint } = await limited({ maxLineBytes: 64 * KIB });
    await using _end = world;
    await using session = await RawSession.initialized(endpoint);
    session.write(`${"x".repeat(65 * KIB)}\n`);
    expect(kindOf(await session.next(({ id }) => id === null))).toBe("frameTooLarge");
    expect((await session.ask("thread/loaded/list")).error).toBeUndefined();
  });

  test("turns that wait for a thread", async () => {
    const { world, endpoint } = await limited({ maxQueuedTurns: 1 });
    await using _end = world;
    await using session = await RawSession.initialized(endpoint);
    const opened = await session.ask("thread/start");
    const threadId = threadIn(opened);
    const input = [{ type: "text", text: "silence" }];
    await session.ask("turn/start", { threadId, input });
    const params = { threadId, input, broker: { whenBusy: "queue" } };
    session.send({ id: "waits", method: "turn/start", params });
    await session.nextOf("broker/queued");
    expect(kindOf(await session.ask("turn/start", params))).toBe("tooManyRequests");
  });
});
