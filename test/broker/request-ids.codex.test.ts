import { describe, expect, test, vi } from "vitest";
import { isRecord } from "../../src/wire/messages.ts";
import { eventually } from "../support/eventually.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeWorld, type World } from "../support/world.ts";
import { RawSession, type Message } from "./raw-session.ts";

guardAgainstLeaks();
vi.setConfig({ testTimeout: 60_000 });

const EXPERIMENTAL = { experimentalApi: true };
const WAIT_MS = 30_000;

interface Setting extends AsyncDisposable {
  readonly world: World;
  readonly endpoint: string;
}

async function setting(): Promise<Setting> {
  const world = await makeWorld();
  const client = await world.connect();
  const { endpoint } = client.record;
  client.close();
  return { world, endpoint, [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]() };
}

function idIn(response: Message, name: "thread" | "turn"): string {
  const value = response.result?.[name];
  return isRecord(value) ? String(value["id"]) : "";
}

interface Sampled {
  readonly threadId: string;
  readonly expectedTurnId: string;
}

/** A thread whose latest turn is over, which is what can be sampled. */
async function finishedTurn(session: RawSession): Promise<Sampled> {
  const threadId = idIn(await session.ask("thread/start"), "thread");
  const input = [{ type: "text", text: "say: done" }];
  const expectedTurnId = idIn(await session.ask("turn/start", { threadId, input }), "turn");
  await session.nextOf("turn/completed");
  return { threadId, expectedTurnId };
}

/** A sample of that session whose model request goes on until it is cancelled. */
async function sample(at: Setting, session: RawSession, id: number | string): Promise<void> {
  const turn = await finishedTurn(session);
  const { total } = at.world.model.requests;
  session.send({ id, method: "thread/sample", params: { ...turn, prompt: "hold: gate" } });
  await eventually(() => at.world.model.requests.total > total, "the model is asked", WAIT_MS);
}

const modelIsFree = (at: Setting): boolean => at.world.model.requests.inFlight === 0;

const responseTo = (session: RawSession, id: number | string): Message | undefined =>
  session.messages.find((each) => each.id === id && each.method === undefined);

describe("a sample", () => {
  test("is not cancelled by another session that guesses its id (F108)", async () => {
    await using at = await setting();
    await using owner = await RawSession.initialized(at.endpoint, EXPERIMENTAL);
    await using other = await RawSession.initialized(at.endpoint, EXPERIMENTAL);
    await sample(at, owner, "mine");
    for (const method of ["thread/sample/cancel", "userVerification/cancel"]) {
      for (let requestId = 0; requestId < 40; requestId += 1) {
        expect((await other.ask(method, { requestId })).result).toEqual({});
      }
    }
    expect((await other.ask("thread/sample/cancel", { requestId: "mine" })).result).toEqual({});
    expect(responseTo(owner, "mine")).toBeUndefined();
    at.world.model.release("gate");
    const { result, error } = await owner.next(({ id }) => id === "mine");
    expect(error).toBeUndefined();
    expect(result).toMatchObject({ responseId: expect.any(String) });
  });

  test.each(["mine", 4_711])(
    "with the id %j is cancelled by its own session (F108)",
    async (id) => {
      await using at = await setting();
      await using owner = await RawSession.initialized(at.endpoint, EXPERIMENTAL);
      await sample(at, owner, id);
      expect((await owner.ask("thread/sample/cancel", { requestId: id })).result).toEqual({});
      const cancelled = await owner.next((each) => each.id === id && each.method === undefined);
      expect(cancelled.error?.message).toBe("sample canceled");
      await eventually(() => modelIsFree(at), "the request to the model is given up", WAIT_MS);
    },
  );

  test("ends with its session, as on a connection of its own (F108)", async () => {
    await using at = await setting();
    await using bystander = await RawSession.initialized(at.endpoint, EXPERIMENTAL);
    const owner = await RawSession.initialized(at.endpoint, EXPERIMENTAL);
    await sample(at, owner, 1_000);
    await owner[Symbol.asyncDispose]();
    await eventually(() => modelIsFree(at), "the request to the model is given up", WAIT_MS);
    expect((await bystander.ask("thread/loaded/list")).error).toBeUndefined();
  });
});

test("an id that Codex does not take is left to Codex (F108)", async () => {
  await using at = await setting();
  await using session = await RawSession.initialized(at.endpoint, EXPERIMENTAL);
  for (const params of [{}, { requestId: null }, { requestId: 1.5 }, { requestId: [1] }]) {
    const { error } = await session.ask("thread/sample/cancel", params);
    expect(error?.code).toBe(-32_600);
  }
});

test("an error of Codex names a handle as its session has chosen it (F108)", async () => {
  await using at = await setting();
  await using session = await RawSession.initialized(at.endpoint);
  const params = { watchId: "mine", path: at.world.workspace };
  expect((await session.ask("fs/watch", params)).error).toBeUndefined();
  const { error } = await session.ask("fs/watch", params);
  expect(error?.message).toBe("watchId already exists: mine");
});
