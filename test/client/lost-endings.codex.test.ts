import { chmodSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { BrokerError, type TurnRun } from "../../src/index.ts";
import { readEpoch } from "../../src/lifecycle/epoch-file.ts";
import { scopeDirectory } from "../../src/lifecycle/state-directory.ts";
import { eventually } from "../support/eventually.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { realCodex } from "../support/real-codex.ts";
import { livingBrokers } from "../support/stop-brokers.ts";
import { makeWorld, type World } from "../support/world.ts";

guardAgainstLeaks();

const FILTER = fileURLToPath(new URL("../fixtures/broker/filtering-codex.mjs", import.meta.url));
chmodSync(FILTER, 0o755);

/** A world whose codex is the real one, but some of what it says is lost on the way. */
const filtered = (filter: NodeJS.ProcessEnv): Promise<World> =>
  makeWorld({ codex: FILTER, env: { FILTER_CODEX: realCodex().native, ...filter } });

const failure = (turn: TurnRun): Promise<unknown> =>
  turn.result.then(
    () => undefined,
    (error: unknown) => error,
  );

describe("a turn whose end is not told", () => {
  test("F44: has failed all the same when Codex said that it would not try again", async () => {
    await using world = await filtered({ FILTER_DROP: "turn/completed,thread/status/changed" });
    await using client = await world.connect();
    const result = await client.runTurn({ prompt: "fail: no more" }).result;
    expect(result).toMatchObject({ status: "failed", error: { message: expect.any(String) } });
    expect((await client.status()).turns).toEqual([]);
  });

  test("F42: has completed all the same when its final message was told", async () => {
    await using world = await filtered({ FILTER_DROP: "turn/completed,thread/status/changed" });
    await using client = await world.connect();
    const turn = client.runTurn({ prompt: "say: all done" });
    expect(await turn.result).toMatchObject({ status: "completed", message: "all done" });
    const next = client.runTurn({ prompt: "say: again", threadId: turn.threadId! });
    expect(await next.result).toMatchObject({ status: "completed", message: "again" });
  });

  test("F44: of a thread that is not saved is lost, and nobody waits", async () => {
    await using world = await filtered({ FILTER_DROP: "turn/completed" });
    await using client = await world.connect();
    const error = await failure(client.runTurn({ prompt: "say: gone", ephemeral: true }));
    expect(BrokerError.is(error) && [error.kind, error.details["threadLost"]]).toEqual([
      "turnLost",
      true,
    ]);
  });
});

test("F45: a turn whose start was answered without an id is followed to its end", async () => {
  await using world = await filtered({ FILTER_TURN_IDS: "none" });
  await using client = await world.connect();
  const turn = client.runTurn({ prompt: "say: nameless" });
  expect(await turn.result).toMatchObject({ status: "completed", message: "nameless" });
  const interrupted = client.runTurn({ prompt: "silence", threadId: turn.threadId! });
  interrupted.interrupt();
  const ended = await interrupted.result.then(
    ({ status }) => status,
    (error: unknown) => (BrokerError.is(error) ? error.kind : error),
  );
  expect(["interrupted", "turnInterrupted"]).toContain(ended);
});

test("F47: an app-server that exits cleanly in the middle of a turn has failed", async () => {
  await using world = await makeWorld();
  await using client = await world.connect();
  // No message of it is ever whole, so nobody goes to look whether it had ended.
  const turn = client.runTurn({ prompt: "slow: 1000x50ms tick" });
  for await (const event of turn) if (event.type === "message.delta") break;
  const { appServer, scope, epoch } = await client.status();
  process.kill(appServer.pid ?? 0, "SIGTERM");
  const error = await failure(turn);
  expect(BrokerError.is(error) && [error.kind, error.details]).toEqual([
    "turnLost",
    expect.objectContaining({ code: 0, signal: null, threadLost: false }),
  ]);
  await eventually(() => livingBrokers(world.stateDir).length === 0, "the broker ends");
  expect(readEpoch(scopeDirectory(world.stateDir, scope), epoch)).toMatchObject({
    record: { state: "ended", abnormal: true, exit: { code: 0, signal: null } },
  });
});
