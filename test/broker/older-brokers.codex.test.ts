import { describe, expect, test } from "vitest";
import { deferred } from "../../src/base/deferred.ts";
import type { BrokerClient } from "../../src/index.ts";
import { eventually } from "../support/eventually.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { textAt } from "../support/json.ts";
import { realCodex } from "../support/real-codex.ts";
import { StdioClient } from "../support/stdio-client.ts";
import { livingBrokers } from "../support/stop-brokers.ts";
import { makeWorld, type World } from "../support/world.ts";

guardAgainstLeaks();

/** A turn that goes on in a broker which another one has superseded since. */
async function turnInOlderBroker(world: World, client: BrokerClient) {
  const begun = deferred<string>();
  const turn = client.runTurn({ prompt: "hold" });
  client.onNotification((method) => {
    if (method === "turn/started") begun.resolve(method);
  });
  await begun.promise;
  const { epoch } = client;
  const successor = await world.connect({ replace: true });
  expect(successor.epoch).toBe(epoch + 1);
  return { turn, epoch, successor };
}

describe("a turn that goes on in a superseded broker", () => {
  test("F36 F29: is interrupted by whoever asks the successor to", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    const { turn, successor } = await turnInOlderBroker(world, client);
    await using newcomer = successor;
    const { threadId, turnId } = turn;
    await newcomer.request("turn/interrupt", { threadId: threadId!, turnId: turnId! });
    expect(await turn.result).toMatchObject({ status: "interrupted" });
    await eventually(() => livingBrokers(world.stateDir).length === 1, "the older broker ends");
  });

  test("F40: keeps its thread, and a resume elsewhere is told at once which epoch has it", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    const { turn, epoch, successor } = await turnInOlderBroker(world, client);
    await using newcomer = successor;
    const threadId = turn.threadId!;
    await expect(newcomer.request("thread/resume", { threadId })).rejects.toMatchObject({
      kind: "threadBusy",
      details: { threadId, turnId: turn.turnId, epoch },
    });
    turn.interrupt();
    expect(await turn.result).toMatchObject({ status: "interrupted" });
    expect(await newcomer.request("thread/resume", { threadId })).toMatchObject({
      thread: { id: threadId },
    });
  });

  test.skipIf(process.platform !== "linux")(
    "F40: a thread that another program writes to is reported with the process that does",
    { timeout: 60_000 },
    async () => {
      await using world = await makeWorld();
      await using other = new StdioClient({
        command: realCodex().native,
        env: { CODEX_HOME: world.home.path },
        cwd: world.workspace,
      });
      await other.initialize();
      const opened = await other.request("thread/start", { cwd: world.workspace });
      const threadId = textAt(opened, "thread.id");
      const input = [{ type: "text", text: "say: saved" }];
      await other.request("turn/start", { threadId, input });
      await other.nextOf("turn/completed");
      await using client = await world.connect();
      const refused: unknown = await client
        .request("thread/resume", { threadId })
        .catch((error: unknown) => error);
      expect(refused).toMatchObject({
        kind: "threadBusy",
        message: `Thread ${threadId} is in use by process ${other.pid} (codex), which is not this broker's.`,
        hint: expect.stringContaining(`ps -fp ${other.pid}`),
        details: { threadId, writer: { pid: other.pid, program: "codex", parentPid: process.pid } },
      });
      // With its writer the lock has gone, and so has the reason.
      await other.close();
      expect(await client.request("thread/resume", { threadId })).toMatchObject({
        thread: { id: threadId },
      });
    },
  );

  test.skipIf(process.platform !== "linux")(
    "F40: a thread of an app-server that has stopped is reported with that one, and is to be had when it has gone",
    { timeout: 60_000 },
    async () => {
      await using world = await makeWorld();
      await using client = await world.connect();
      const { threadId } = await client.runTurn({ prompt: "say: saved" }).result;
      const stopped = (await client.status()).appServer.pid!;
      process.kill(stopped, "SIGSTOP");
      await using successor = await world.connect({ replace: true });
      await expect(successor.request("thread/resume", { threadId })).rejects.toMatchObject({
        kind: "threadBusy",
        message: `Thread ${threadId} is held by the app-server (process ${stopped}) of epoch 1, which this broker has superseded.`,
        details: { threadId, writer: { pid: stopped, epoch: 1 } },
      });
      process.kill(stopped, "SIGKILL");
      await eventually(() => livingBrokers(world.stateDir).length === 1, "the older broker ends");
      expect(await successor.request("thread/resume", { threadId })).toMatchObject({
        thread: { id: threadId },
      });
    },
  );

  test("an interrupt of a turn that nobody runs gets Codex's own answer", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    const { threadId, turnId } = await client.runTurn({ prompt: "say: done" }).result;
    await expect(client.request("turn/interrupt", { threadId, turnId })).rejects.toThrow(
      /no active turn/,
    );
  });
});
