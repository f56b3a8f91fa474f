import { describe, expect, test } from "vitest";
import { pause } from "../../src/base/deadline.ts";
import { BrokerError } from "../../src/base/errors.ts";
import { BROKER_PROTOCOL } from "../../src/wire/broker-protocol.ts";
import { isRecord } from "../../src/wire/messages.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeWorld, type World } from "../support/world.ts";
import { RawSession } from "./raw-session.ts";

guardAgainstLeaks();

const DELAYS_MS = [0, 1, 2, 4, 8, 16, 25];
const REFUSED = { data: { kind: "draining", retryable: true } };

interface Setting {
  readonly session: RawSession;
  readonly threadId: string;
  /** Asks for a turn on the thread. */
  turn(): ReturnType<RawSession["ask"]>;
}

/** A session with an idle thread. */
async function withThread(world: World, params: object = {}): Promise<Setting> {
  const client = await world.connect();
  const session = await RawSession.open(client.record.endpoint);
  client.close();
  const clientInfo = { name: "raw", title: null, version: "0" };
  await session.ask("initialize", { clientInfo, capabilities: {}, ...params });
  const { result } = await session.ask("thread/start", {});
  const threadId = isRecord(result?.["thread"]) ? String(result["thread"]["id"]) : "";
  const input = [{ type: "text", text: "say: hello" }];
  return { session, threadId, turn: () => session.ask("turn/start", { threadId, input }) };
}

async function stop(world: World, force = false): Promise<void> {
  await using client = await world.connect();
  await client.request("broker/stop", { force });
}

describe("a turn/start that crosses a stop (F116)", () => {
  test.each(DELAYS_MS)("completes or is refused as draining, %i ms apart", async (ms) => {
    await using world = await makeWorld();
    await using one = await world.connect();
    const { threadId } = await one.runTurn({ prompt: "say: first" }).result;
    const stopping = await world.connect();
    const turn = one.runTurn({ threadId, prompt: "say: second" });
    await pause(ms);
    await stopping.request("broker/stop", {});
    stopping.close();
    const end = await turn.result.then(
      ({ status }) => status,
      (error: unknown) => (BrokerError.is(error) ? error.kind : error),
    );
    expect(["completed", "draining"]).toContain(end);
  });

  test("is refused when it was sent after the announcement", async () => {
    await using world = await makeWorld();
    const { session, turn } = await withThread(world);
    await stop(world);
    await session.nextOf("broker/draining");
    expect((await turn()).error).toMatchObject(REFUSED);
    await session.ended;
  });

  test("is refused until a client of this package has read that the broker has ended", async () => {
    await using world = await makeWorld();
    const broker = { protocol: BROKER_PROTOCOL, nonce: "00" };
    const { session, turn } = await withThread(world, { broker });
    await stop(world);
    const closing = await session.nextOf("broker/closing");
    expect(closing.params?.["error"]).toMatchObject({ kind: "draining" });
    expect((await turn()).error).toMatchObject(REFUSED);
    await session[Symbol.asyncDispose]();
  });

  test("is refused, and the client's connection ends, when the stop was forced", async () => {
    await using world = await makeWorld();
    await using one = await world.connect();
    await stop(world, true);
    expect((await one.closed).kind).toBe("connectionLost");
    const { result } = one.runTurn({ prompt: "say: no" });
    await expect(result).rejects.toMatchObject({ kind: "draining" });
  });
});
