import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { deferred } from "../../src/base/deferred.ts";
import { epochPath, listEpochs } from "../../src/lifecycle/epoch-file.ts";
import { resolveScope } from "../../src/lifecycle/scope.ts";
import { RawSession } from "../broker/raw-session.ts";
import { eventually } from "../support/eventually.ts";
import { makeFakeCodex } from "../support/fake-codex.ts";
import { at } from "../support/json.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { livingBrokers } from "../support/stop-brokers.ts";
import { makeTempDir } from "../support/temp-dir.ts";
import { makeWorld, type World } from "../support/world.ts";

guardAgainstLeaks();

/** Replaces the broker, as `serve --replace` does. */
async function rotate(world: World): Promise<number> {
  const client = await world.connect({ replace: true });
  client.close();
  return client.epoch;
}

describe("a client whose broker is replaced", () => {
  test("F22 F29: goes on with the successor by itself, and its idle thread with it", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    const first = await client.runTurn({ prompt: "say: one" }).result;
    const epoch = await rotate(world);
    await eventually(() => client.epoch === epoch, "the client has moved");
    const second = await client.runTurn({ prompt: "say: two", threadId: first.threadId }).result;
    expect(second).toMatchObject({ status: "completed", message: "two", threadId: first.threadId });
    await eventually(() => livingBrokers(world.stateDir).length === 1, "the older broker ends");
  });

  test(
    "F29: loses no turn and no request while brokers rotate under it",
    { timeout: 60_000 },
    async () => {
      await using world = await makeWorld();
      await using client = await world.connect();
      const endings: string[] = [];
      const rotating = new AbortController();
      const worker = async (name: string): Promise<void> => {
        for (let i = 0; !rotating.signal.aborted; i += 1) {
          const { status, message } = await client.runTurn({ prompt: `say: ${name} ${i}` }).result;
          expect(message).toBe(`${name} ${i}`);
          endings.push(status);
          await client.request("thread/loaded/list", {});
        }
      };
      const workers = ["a", "b", "c"].map(worker);
      for (let round = 0; round < 5; round += 1) await rotate(world);
      rotating.abort();
      await Promise.all(workers);
      expect(new Set(endings)).toEqual(new Set(["completed"]));
      await eventually(() => livingBrokers(world.stateDir).length === 1, "the older brokers end");
    },
  );

  test("F29: a turn that was started by hand runs to its end in the older broker", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    const { thread } = await client.request("thread/start", {});
    const ended = deferred<unknown>();
    client.onNotification((method, params) => {
      if (method === "turn/completed") ended.resolve(params);
    });
    await client.request("turn/start", {
      threadId: thread.id,
      input: [{ type: "text", text: "slow: 20 one two three", text_elements: [] }],
    });
    const epoch = await rotate(world);
    await eventually(() => client.epoch === epoch, "the client has moved");
    expect(await ended.promise).toMatchObject({ turn: { status: "completed" } });
    // The thread has come along: a turn on it begins in the successor without another word.
    const next = await client.request("turn/start", {
      threadId: thread.id,
      input: [{ type: "text", text: "say: here", text_elements: [] }],
    });
    expect(next.turn.id).not.toBe("");
    await eventually(() => livingBrokers(world.stateDir).length === 1, "the older broker ends");
  });

  // The scripted app-server is a script, and so no program on Windows.
  test.skipIf(process.platform === "win32")(
    "F22 F46: what was asked before is answered, however slowly, and not lost with the older broker",
    async () => {
      await using fake = await makeFakeCodex({ delayMs: { "account/read": 4_000 } });
      await using world = await makeWorld({ codex: fake.command, env: fake.env });
      await using client = await world.connect();
      await using plain = await RawSession.initialized(client.record.endpoint);
      plain.send({ id: "slow", method: "account/read", params: {} });
      await eventually(
        async () => (await fake.received()).some((each) => at(each, "method") === "account/read"),
        "it has reached the app-server",
      );
      await rotate(world);
      expect((await plain.next(({ id }) => id === "slow")).error).toBeUndefined();
      await eventually(() => livingBrokers(world.stateDir).length === 1, "the older broker ends");
    },
  );

  test.skipIf(process.platform === "win32")(
    "F101: that has no successor, is told why there is none, and not that it drains",
    async () => {
      await using fake = await makeFakeCodex({ turns: "slow: 100x50ms tick" });
      await using dir = await makeTempDir();
      const codex = join(dir.path, "codex");
      await writeFile(codex, `#!/bin/sh\nexec '${fake.command}' "$@"\n`, { mode: 0o755 });
      await using world = await makeWorld({ codex, env: fake.env });
      await using client = await world.connect();
      const running = client.runTurn({ prompt: "any" });
      await eventually(() => running.turnId !== undefined, "the turn runs");
      const { directory } = resolveScope({ cwd: world.workspace, env: world.env });
      await rm(codex);
      await rm(epochPath(directory, client.epoch));
      const late = client.runTurn({ prompt: "any" }).result;
      await expect(late).rejects.toMatchObject({ kind: "codexUnusable" });
      expect(listEpochs(directory)).toEqual([1]);
      running.interrupt();
      await running.result;
    },
  );

  test("a broker that was stopped is not started again by those who were connected", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    await client.request("broker/stop", {});
    expect((await client.closed).kind).toBe("connectionLost");
    await eventually(() => livingBrokers(world.stateDir).length === 0, "the broker ends");
  });
});
