import { readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { cli, lastJson } from "../cli/program.ts";
import { formatDirectory } from "../../src/lifecycle/state-directory.ts";
import { eventually } from "../support/eventually.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { livingBrokers } from "../support/stop-brokers.ts";
import { makeWorld, type World } from "../support/world.ts";

guardAgainstLeaks();

/** Many programs are started one after the other, and the machine may be busy. */
const LIMIT_MS = 90_000;

function scopes(world: World): string[] {
  return readdirSync(formatDirectory(world.stateDir));
}

describe("an app-server of one's own", { timeout: LIMIT_MS }, () => {
  test("F31: is asked for by an option, ends with its client and leaves nothing behind", async () => {
    await using world = await makeWorld();
    await using shared = await world.connect();
    const own = await world.connect({ private: true });
    expect(own.started).toBe(true);
    expect((await own.status()).appServer.pid).not.toBe((await shared.status()).appServer.pid);
    expect(await own.runTurn({ prompt: "say: mine" }).result).toMatchObject({ message: "mine" });
    expect((await shared.status()).sessions).toHaveLength(1);
    own.close();
    await eventually(() => livingBrokers(world.stateDir).length === 1, "it ends");
    await eventually(() => scopes(world).length === 1, "nothing of it is left");
    expect(scopes(world)).toEqual([(await shared.status()).scope]);
  });

  test("F31: is asked for by the environment, and does not change what `ensure` means", async () => {
    await using world = await makeWorld({ env: { CODEX_BROKER_PRIVATE: "1" } });
    const ran = await cli(world, ["run", "--json", "say: mine"]);
    expect(lastJson(ran.stdout)).toMatchObject({ status: "completed", message: "mine" });
    await eventually(() => scopes(world).length === 0, "nothing of it is left");
    const first = lastJson((await cli(world, ["ensure", "--json"])).stdout);
    const second = lastJson((await cli(world, ["ensure", "--json"])).stdout);
    expect(second).toMatchObject({ started: false, instance: first["instance"] });
    const status = await cli(world, ["call", "--private", "--json", "broker/status"]);
    expect(lastJson(status.stdout)["scope"]).not.toBe(first["scope"]);
    await eventually(() => scopes(world).length === 1, "nothing of it is left");
  });

  test("F31: its threads are there for the next one", async () => {
    await using world = await makeWorld();
    await using own = await world.connect({ private: true });
    const { threadId } = await own.runTurn({ prompt: "say: one" }).result;
    process.kill((await own.status()).pid, "SIGTERM");
    await own.closed;
    await using other = await world.connect({ private: true });
    const again = await other.runTurn({ prompt: "say: two", threadId }).result;
    expect(again).toMatchObject({ status: "completed", message: "two" });
  });
});

describe("F34: no app-server is started behind the caller's back", { timeout: LIMIT_MS }, () => {
  test("F34: not where a thread is busy", async () => {
    await using world = await makeWorld();
    await using owner = await world.connect();
    await using other = await world.connect();
    const running = owner.runTurn({ prompt: "hold: gate ;; say: done" });
    await eventually(() => world.model.requests.inFlight === 1, "the turn runs");
    const threadId = running.threadId ?? "";
    await expect(other.runTurn({ prompt: "say: no", threadId }).result).rejects.toMatchObject({
      kind: "threadBusy",
    });
    expect(livingBrokers(world.stateDir)).toHaveLength(1);
    world.model.release("gate");
    expect(await running.result).toMatchObject({ status: "completed" });
  });

  test("F34: not where a broker that was stopped takes no more work", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    const running = client.runTurn({ prompt: "hold: gate ;; say: done" });
    await eventually(() => world.model.requests.inFlight === 1, "the turn runs");
    await client.request("broker/stop", {});
    await expect(client.runTurn({ prompt: "say: no" }).result).rejects.toMatchObject({
      kind: "draining",
    });
    expect(livingBrokers(world.stateDir)).toHaveLength(1);
    world.model.release("gate");
    expect(await running.result).toMatchObject({ status: "completed" });
    await client.closed;
    await eventually(() => livingBrokers(world.stateDir).length === 0, "it ends");
  });

  test("F34: not where the connection is lost or refused: the next call says that it has started one", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    const { pid } = await client.status();
    const running = client.runTurn({ prompt: "hold: for ever" });
    running.result.catch(() => {});
    await eventually(() => world.model.requests.inFlight === 1, "the turn runs");
    process.kill(pid, "SIGKILL");
    await expect(running.result).rejects.toMatchObject({ kind: "turnLost" });
    await expect(client.request("thread/loaded/list", {})).rejects.toMatchObject({
      kind: "connectionLost",
    });
    // The kernel closes a process's connections a moment before the process has ended.
    const others = (): unknown[] =>
      livingBrokers(world.stateDir).filter(({ broker }) => broker.pid !== pid);
    expect(others()).toEqual([]);
    await using next = await world.connect();
    expect(next.started).toBe(true);
    expect(others()).toHaveLength(1);
  });
});
