import { rmSync } from "node:fs";
import { describe, expect, test, vi } from "vitest";
import type { BrokerClient, TurnEvent, TurnRun } from "../../src/index.ts";
import { jobView, untilState } from "../client/job-states.ts";
import { eventually } from "../support/eventually.ts";
import { at, textAt } from "../support/json.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { livingBrokers } from "../support/stop-brokers.ts";
import { makeWorld, type World } from "../support/world.ts";
import { RawSession } from "./raw-session.ts";

guardAgainstLeaks();
vi.setConfig({ testTimeout: 120_000 });

const SOON_MS = 60_000;
/** What used to interrupt the turns of every broker that drained. */
const DRAIN_TIMEOUT_MS = 300;
const limits = { drainTimeoutMs: DRAIN_TIMEOUT_MS };

async function begun(turn: TurnRun, type: TurnEvent["type"] = "turn.started"): Promise<void> {
  for await (const event of turn) if (event.type === type) return;
  throw new Error(`the turn ended without ${type}`);
}

async function rotate(world: World): Promise<number> {
  const client = await world.connect({ replace: true, limits });
  client.close();
  return client.epoch;
}

/** Waits until the broker of that epoch has drained for several times the old limit. */
async function drainedForLong(world: World, epoch: number): Promise<void> {
  const record = livingBrokers(world.stateDir).find((each) => each.epoch === epoch);
  if (record === undefined) throw new Error(`the broker of epoch ${epoch} has ended`);
  await using session = await RawSession.initialized(record.endpoint);
  await eventually(
    async () => {
      const { result } = await session.ask("broker/status");
      return Number(at(result as never, "drain.forMs")) > 5 * DRAIN_TIMEOUT_MS;
    },
    `epoch ${epoch} drains`,
    SOON_MS,
  );
}

async function onlyBroker(world: World, what = "the older brokers end"): Promise<void> {
  await eventually(() => livingBrokers(world.stateDir).length === 1, what, SOON_MS);
}

describe("a broker that is replaced waits for its turns without a limit", () => {
  test("a turn longer than the drain limit runs to its end across two replacements (F103)", async () => {
    await using world = await makeWorld();
    await using client = await world.connect({ limits });
    const turn = client.runTurn({ prompt: "hold: gate ;; say: finished" });
    await begun(turn);
    expect(await rotate(world)).toBe(2);
    await drainedForLong(world, 1);
    expect(await rotate(world)).toBe(3);
    await onlyTheseRemain(world, [1, 3]);
    world.model.release("gate");
    expect(await turn.result).toMatchObject({ status: "completed", message: "finished" });
    await onlyBroker(world);
  });

  test("a job longer than the drain limit runs to its end across a replacement (F103)", async () => {
    await using world = await makeWorld();
    const client = await world.connect({ limits });
    const { job } = await client.request("broker/job/start", {
      prompt: "hold: gate ;; say: finished",
    });
    client.close();
    await rotate(world);
    await drainedForLong(world, 1);
    expect((await jobView(world, job))?.state).toBe("running");
    world.model.release("gate");
    const ended = await untilState(world, job, "completed");
    expect(ended).toMatchObject({ job: { end: { message: "finished" } } });
    await onlyBroker(world);
  });

  test("a turn in the queue waits for one longer than the drain limit across a replacement (F103)", async () => {
    await using world = await makeWorld();
    await using client = await world.connect({ limits });
    await using other = await world.connect({ limits });
    const first = client.runTurn({ prompt: "hold: gate ;; say: first" });
    await begun(first);
    const { threadId } = first;
    const second = other.runTurn({ prompt: "say: second", threadId: threadId!, whenBusy: "queue" });
    await begun(second, "turn.queued");
    await rotate(world);
    await drainedForLong(world, 1);
    world.model.release("gate");
    expect(await first.result).toMatchObject({ status: "completed", message: "first" });
    expect(await second.result).toMatchObject({ status: "completed", message: "second" });
    await onlyBroker(world);
  });

  test("a turn is not cut when the workspace has gone (F103)", async () => {
    await using world = await makeWorld();
    await using client = await world.connect({ limits });
    const turn = client.runTurn({ prompt: "hold: gate ;; say: finished" });
    await begun(turn);
    rmSync(world.workspace, { recursive: true });
    await drainedForLong(world, 1);
    world.model.release("gate");
    expect(await turn.result).toMatchObject({ status: "completed", message: "finished" });
    await eventually(() => livingBrokers(world.stateDir).length === 0, "the broker ends", SOON_MS);
  });
});

describe("a broker that is replaced does not stay for a turn that nobody waits for", () => {
  async function heldTurn(world: World, prompt: string): Promise<[RawSession, string]> {
    await using client = await world.connect();
    const session = await RawSession.initialized(client.record.endpoint);
    const opened = await session.ask("thread/start", { cwd: world.workspace });
    const threadId = textAt(opened.result as never, "thread.id");
    const input = [{ type: "text", text: prompt, text_elements: [] }];
    await session.ask("turn/start", { threadId, input });
    await session.nextOf("turn/started");
    return [session, threadId];
  }

  test("it ends though the session that started the turn is still connected (F103)", async () => {
    await using world = await makeWorld();
    const [owner, threadId] = await heldTurn(world, "silence");
    await using session = owner;
    await session.ask("thread/unsubscribe", { threadId });
    await rotate(world);
    await onlyBroker(world);
  });

  test("it ends when the last subscriber leaves while it drains (F103)", async () => {
    await using world = await makeWorld();
    const [owner, threadId] = await heldTurn(world, "silence");
    await using session = owner;
    await rotate(world);
    await drainedForLong(world, 1);
    await session.ask("thread/unsubscribe", { threadId });
    await onlyBroker(world);
  });

  test("it ends when the turn waits for an approval that nobody can give (F103)", async () => {
    const config = { approvalPolicy: "on-request", sandboxMode: "workspace-write" } as const;
    await using world = await makeWorld({ config });
    const [owner, threadId] = await heldTurn(world, "shell-ask: echo yes");
    await using session = owner;
    await session.nextOf("item/commandExecution/requestApproval");
    await session.ask("thread/unsubscribe", { threadId });
    await rotate(world);
    await onlyBroker(world);
  });
});

describe("only a stop bounds the time that turns have", () => {
  async function turnInOlderBroker(world: World, client: BrokerClient): Promise<TurnRun> {
    const turn = client.runTurn({ prompt: "silence" });
    await begun(turn);
    await rotate(world);
    await drainedForLong(world, 1);
    return turn;
  }

  async function stop(world: World, params: object): Promise<void> {
    const older = livingBrokers(world.stateDir).find(({ epoch }) => epoch === 1);
    await using session = await RawSession.initialized(older!.endpoint);
    await session.ask("broker/stop", params);
    await session.ended;
  }

  test("a stop of a broker that drains interrupts its turns after the drain limit (F103)", async () => {
    await using world = await makeWorld();
    await using client = await world.connect({ limits });
    const turn = await turnInOlderBroker(world, client);
    await stop(world, {});
    expect(await turn.result).toMatchObject({ status: "interrupted" });
    await onlyBroker(world);
  });

  test("a stop by force of a broker that drains interrupts its turns at once (F103)", async () => {
    await using world = await makeWorld();
    await using client = await world.connect({ limits: { drainTimeoutMs: 600_000 } });
    const turn = await turnInOlderBroker(world, client);
    await stop(world, { force: true });
    expect(await turn.result).toMatchObject({ status: "interrupted" });
    await onlyBroker(world);
  });
});

async function onlyTheseRemain(world: World, epochs: readonly number[]): Promise<void> {
  await eventually(
    () => {
      const living = livingBrokers(world.stateDir).map(({ epoch }) => epoch);
      return living.toSorted((a, b) => a - b).join() === epochs.join();
    },
    `the brokers of epochs ${epochs.join()} remain`,
    SOON_MS,
  );
}
