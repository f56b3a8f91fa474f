import { describe, expect, test } from "vitest";
import { deferred } from "../../src/base/deferred.ts";
import { BrokerError, type BrokerClient, type TurnRun } from "../../src/index.ts";
import { RawSession } from "../broker/raw-session.ts";
import { eventually } from "../support/eventually.ts";
import { at, type Json } from "../support/json.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { livingBrokers } from "../support/stop-brokers.ts";
import { makeWorld, type World } from "../support/world.ts";

guardAgainstLeaks();

const LIMIT_MS = 90_000;
const WAIT_MS = 30_000;
const LEAVERS = ["thread/unsubscribe", "thread/archive", "thread/delete"] as const;

const inputOf = (text: string): object[] => [{ type: "text", text, text_elements: [] }];

async function rotate(world: World): Promise<number> {
  const successor = await world.connect({ replace: true });
  successor.close();
  return successor.epoch;
}

async function moved(client: BrokerClient, epoch: number): Promise<void> {
  await eventually(() => client.epoch === epoch, "the client has moved", WAIT_MS);
}

/** Resolves with the next `turn/completed` of the thread. */
function endOn(client: BrokerClient, threadId: string): Promise<Json> {
  const ended = deferred<Json>();
  const undo = client.onNotification((method, params) => {
    if (method !== "turn/completed" || at(params as Json, "threadId") !== threadId) return;
    undo();
    ended.resolve(at(params as Json, "turn") ?? null);
  });
  return ended.promise;
}

async function begun(turn: TurnRun): Promise<string> {
  for await (const event of turn) if (event.type === "turn.started") return turn.threadId ?? "";
  throw new Error("the turn has not begun");
}

const outcome = (turn: TurnRun): Promise<unknown> =>
  turn.result.then(
    ({ status, message }) => ({ status, message }),
    (error: unknown) => (BrokerError.is(error) ? error.kind : error),
  );

/** Another session that follows the thread, so that its turn goes on without the client. */
async function follower(client: BrokerClient, threadId: string): Promise<RawSession> {
  const session = await RawSession.initialized(client.record.endpoint);
  await session.ask("thread/resume", { threadId, excludeTurns: true });
  return session;
}

describe("a client that leaves a thread while a turn runs on it", { timeout: LIMIT_MS }, () => {
  test("F186: has the thread at the next rotation, when it has come back to it", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    const { thread } = await client.request("thread/start", {});
    await client.request("turn/start", {
      threadId: thread.id,
      input: inputOf("hold: gate"),
    } as never);
    await eventually(() => world.model.requests.inFlight === 1, "the turn runs");
    await using other = await follower(client, thread.id);
    await client.request("thread/unsubscribe", { threadId: thread.id });
    world.model.release("gate");
    await other.next(({ method }) => method === "turn/completed");
    await client.request("thread/resume", { threadId: thread.id, excludeTurns: true });
    await moved(client, await rotate(world));
    const ended = endOn(client, thread.id);
    await client.request("turn/start", { threadId: thread.id, input: inputOf("say: on") } as never);
    expect(await ended).toMatchObject({ status: "completed" });
  });

  test("F186: holds no older broker for a turn of which it hears nothing", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    const { thread } = await client.request("thread/start", {});
    await client.request("turn/start", {
      threadId: thread.id,
      input: inputOf("hold: gate"),
    } as never);
    await eventually(() => world.model.requests.inFlight === 1, "the turn runs");
    const older = client.record.endpoint;
    await client.request("thread/unsubscribe", { threadId: thread.id });
    await moved(client, await rotate(world));
    // The connection of the client is the only one that a broker without turns would wait for.
    await eventually(() => livingBrokers(world.stateDir).length === 1, "the older ends", 4_000);
    expect(client.record.endpoint).not.toBe(older);
  });

  test.each(LEAVERS)("F189: a turn of its own settles after %s", async (method) => {
    await using world = await makeWorld();
    await using client = await world.connect();
    const first = client.runTurn({ prompt: "say: kept", keepThread: true });
    const { threadId } = await first.result;
    const turn = client.runTurn({ prompt: "hold: for ever", threadId });
    await begun(turn);
    await client.request(method, { threadId });
    const ended = await outcome(turn);
    expect(["turnLost", "interrupted"]).toContain(at(ended as Json, "status") ?? ended);
  });

  test("F189: a turn that goes on for others has its own end, with its message", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    const turn = client.runTurn({ prompt: "hold: gate ;; say: finished" });
    const threadId = await begun(turn);
    await using other = await follower(client, threadId);
    await client.request("thread/unsubscribe", { threadId });
    world.model.release("gate");
    expect(await outcome(turn)).toEqual({ status: "completed", message: "finished" });
    await other.next(({ method }) => method === "turn/completed");
  });

  test("F189: a turn that goes on for others for longer is not waited for", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    const turn = client.runTurn({ prompt: "hold: for ever" });
    const threadId = await begun(turn);
    await using other = await follower(client, threadId);
    await client.request("thread/unsubscribe", { threadId });
    expect(await outcome(turn)).toBe("turnLost");
    expect((await client.status()).turns).toHaveLength(1);
    expect(other.messages.some(({ method }) => method === "turn/completed")).toBe(false);
  });
});

describe("a turn whose thread is closed under it", { timeout: LIMIT_MS }, () => {
  test.each(["thread/archive", "thread/delete"])(
    "F102: ends when another session sends %s",
    async (method) => {
      await using world = await makeWorld();
      await using client = await world.connect();
      const { threadId } = await client.runTurn({ prompt: "say: saved" }).result;
      const turn = client.runTurn({ prompt: "hold: for ever", threadId });
      await begun(turn);
      await using other = await RawSession.initialized(client.record.endpoint);
      await other.ask(method, { threadId });
      const ended = await outcome(turn);
      expect(["turnLost", "interrupted"]).toContain(at(ended as Json, "status") ?? ended);
    },
  );
});

describe("a turn on a thread whose turn runs in the replaced broker", { timeout: LIMIT_MS }, () => {
  async function replacedWhileBusy(world: World, client: BrokerClient): Promise<string> {
    const { thread } = await client.request("thread/start", {});
    const input = inputOf("hold: gate ;; say: first");
    await client.request("turn/start", { threadId: thread.id, input } as never);
    await eventually(() => world.model.requests.inFlight === 1, "the turn runs");
    return thread.id;
  }

  test("F187: is refused with `threadBusy`, however often", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    const threadId = await replacedWhileBusy(world, client);
    await moved(client, await rotate(world));
    for (let times = 0; times < 3; times += 1) {
      const second = client.request("turn/start", { threadId, input: inputOf("say: no") } as never);
      await expect(second).rejects.toMatchObject({ kind: "threadBusy", retryable: true });
    }
    const ended = endOn(client, threadId);
    world.model.release("gate");
    expect(await ended).toMatchObject({ status: "completed" });
    const third = endOn(client, threadId);
    await client.request("turn/start", { threadId, input: inputOf("say: yes") } as never);
    expect(await third).toMatchObject({ status: "completed" });
  });

  test("F187: is refused with `threadBusy` where another client runs that turn", async () => {
    await using world = await makeWorld();
    await using other = await world.connect();
    const threadId = await replacedWhileBusy(world, other);
    await using client = await world.connect();
    await client.request("thread/resume", { threadId, excludeTurns: true });
    const epoch = await rotate(world);
    await moved(client, epoch);
    const second = client.request("turn/start", { threadId, input: inputOf("say: no") } as never);
    await expect(second).rejects.toMatchObject({ kind: "threadBusy", retryable: true });
    world.model.release("gate");
    await eventually(() => livingBrokers(world.stateDir).length === 1, "the older ends", WAIT_MS);
    const third = endOn(client, threadId);
    await client.request("turn/start", { threadId, input: inputOf("say: yes") } as never);
    expect(await third).toMatchObject({ status: "completed" });
  });

  test.each(["before", "after"])(
    "F187: that waits in the queue since %s the replacement begins in the successor",
    async (when) => {
      await using world = await makeWorld();
      await using client = await world.connect();
      const threadId = await replacedWhileBusy(world, client);
      const ask = (): Promise<unknown> =>
        client.request("turn/start", {
          threadId,
          input: inputOf("say: second"),
          broker: { whenBusy: "queue", ticket: "t" },
        } as never);
      const early = when === "before" ? ask() : undefined;
      await moved(client, await rotate(world));
      const second = early ?? ask();
      const first = endOn(client, threadId);
      world.model.release("gate");
      expect(await first).toMatchObject({ status: "completed" });
      const ended = endOn(client, threadId);
      await second;
      expect(await ended).toMatchObject({ status: "completed" });
      expect(world.model.requests.recent.at(-1)?.prompt).toBe("say: second");
    },
  );

  test("F187: that waits in the queue since before two replacements begins in the last successor", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    const threadId = await replacedWhileBusy(world, client);
    const second = client.request("turn/start", {
      threadId,
      input: inputOf("say: second"),
      broker: { whenBusy: "queue" },
    } as never);
    second.catch(() => {});
    await moved(client, await rotate(world));
    await moved(client, await rotate(world));
    const first = endOn(client, threadId);
    world.model.release("gate");
    expect(await first).toMatchObject({ status: "completed" });
    const ended = endOn(client, threadId);
    await second;
    expect(await ended).toMatchObject({ status: "completed" });
    expect(world.model.requests.recent.at(-1)?.prompt).toBe("say: second");
  });

  test("F187: that waits in the queue can be taken out of it, and its wait has an end", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    const threadId = await replacedWhileBusy(world, client);
    await moved(client, await rotate(world));
    const queued = (broker: object): Promise<unknown> =>
      client.request("turn/start", {
        threadId,
        input: inputOf("say: no"),
        broker: { whenBusy: "queue", ...broker },
      } as never);
    const withdrawn = queued({ ticket: "a" });
    withdrawn.catch(() => {});
    await expect(queued({ deadlineMs: 300 })).rejects.toMatchObject({ kind: "timedOut" });
    await client.request("broker/unqueue", { threadId, ticket: "a" });
    await expect(withdrawn).rejects.toMatchObject({ kind: "turnInterrupted" });
    const ended = endOn(client, threadId);
    world.model.release("gate");
    expect(await ended).toMatchObject({ status: "completed" });
  });
});
