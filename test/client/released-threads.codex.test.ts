import { describe, expect, test } from "vitest";
import { deferred } from "../../src/base/deferred.ts";
import { connectBroker } from "../../src/index.ts";
import { readProcess, listProcesses } from "../../src/os/process-tree.ts";
import { cli } from "../cli/program.ts";
import { eventually } from "../support/eventually.ts";
import { at, textAt, type Json } from "../support/json.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { MCP_SERVER_TABLE } from "../support/mcp-server.ts";
import { makeWorld, type World } from "../support/world.ts";

guardAgainstLeaks();

const LIMIT_MS = 120_000;
const WAIT_MS = 30_000;
const TURNS = 6;

const withServer = (): Promise<World> => makeWorld({ config: { tables: MCP_SERVER_TABLE } });

/** The MCP servers that run below this app-server. */
function servers(appServer: number): number {
  const all = listProcesses() ?? [];
  return all.filter(({ pid, ppid }) => ppid === appServer && readProcess(pid)?.ended === false)
    .length;
}

async function appServerOf(world: World): Promise<number> {
  await using client = await world.connect();
  return (await client.status()).appServer.pid ?? 0;
}

describe("the threads that turns have opened", { timeout: LIMIT_MS }, () => {
  test("F140: are released when the turns have ended, with their MCP servers", async () => {
    await using world = await withServer();
    await using client = await world.connect();
    const appServer = (await client.status()).appServer.pid ?? 0;
    let most = 0;
    for (let turn = 0; turn < TURNS; turn += 1) {
      expect((await client.runTurn({ prompt: `say: ${turn}` }).result).status).toBe("completed");
      most = Math.max(most, servers(appServer));
    }
    expect(most).toBeGreaterThan(0);
    await eventually(() => servers(appServer) === 0, "the MCP servers have ended", WAIT_MS);
    await eventually(async () => (await client.status()).threads === 0, "no thread", WAIT_MS);
  });

  test("F140: are released after reviews, failures and interrupted turns too", async () => {
    await using world = await withServer();
    await using client = await world.connect();
    const appServer = (await client.status()).appServer.pid ?? 0;
    await client.runTurn({ prompt: "fail: no" }).result;
    await client.runTurn({ prompt: "silence", timeoutMs: 500 }).result;
    await client.runReview({ target: { type: "custom", instructions: "say: fine" } }).result;
    await eventually(() => servers(appServer) === 0, "the MCP servers have ended", WAIT_MS);
  });

  test("F140: are kept where the turn or the client asks for that, until it leaves them", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    const kept = await client.runTurn({ prompt: "say: one", keepThread: true }).result;
    const used = await client.runTurn({ prompt: "say: two" }).result;
    await client.request("thread/resume", { threadId: used.threadId, excludeTurns: true });
    await client.runTurn({ prompt: "say: again", threadId: used.threadId }).result;
    await client.runTurn({ prompt: "say: three" }).result;
    const threads = async (): Promise<number> => (await client.status()).threads;
    await eventually(async () => (await threads()) === 2, "one is released", WAIT_MS);
    const ended = deferred<string>();
    client.onNotification((method, params) => {
      if (method === "turn/completed") ended.resolve(textAt(params as Json, "threadId"));
    });
    await using other = await world.connect();
    await other.runTurn({ prompt: "say: heard", threadId: kept.threadId }).result;
    expect(await ended.promise).toBe(kept.threadId);
    for (const threadId of [kept.threadId, used.threadId]) {
      await client.request("thread/unsubscribe", { threadId });
    }
    await eventually(async () => (await threads()) === 0, "all are released", WAIT_MS);
  });

  test("F140 F105: come back with their settings when they are used again", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    const first = client.runTurn({
      prompt: "say: one",
      model: "chosen-model",
      effort: "high",
      sandbox: "workspace-write",
    });
    const { threadId } = await first.result;
    const loaded = async (): Promise<number> => {
      const page = await client.request("thread/loaded/list", {});
      return page.data.length;
    };
    await eventually(async () => (await loaded()) === 0, "Codex has unloaded it", WAIT_MS);
    await client.runTurn({ prompt: "say: two", threadId, keepThread: true }).result;
    const body = world.model.requests.recent.at(-1)?.body;
    expect(at(body, "model")).toBe("chosen-model");
    expect(at(body, "reasoning.effort")).toBe("high");
    const now = await client.request("thread/resume", { threadId, excludeTurns: true });
    expect(now.sandbox).toMatchObject({ type: "workspaceWrite" });
  });

  test("F140: are there for a turn that is started by hand", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    const { threadId } = await client.runTurn({ prompt: "say: one" }).result;
    await eventually(async () => (await client.status()).threads === 0, "it is released", WAIT_MS);
    const ended = deferred<Json>();
    client.onNotification((method, params) => {
      if (method === "turn/completed") ended.resolve(params as Json);
    });
    const input = [{ type: "text", text: "say: two", text_elements: [] }] as const;
    await client.request("turn/start", { threadId, input: [...input] });
    expect(await ended.promise).toMatchObject({ threadId, turn: { status: "completed" } });
  });

  test("F140: take their sandbox from the turn, also where another session holds them", async () => {
    await using world = await makeWorld();
    await using one = await world.connect();
    const { threadId } = await one.runTurn({ prompt: "say: one", keepThread: true }).result;
    await using two = await connectBroker({ cwd: world.workspace, env: world.env });
    const turn = two.runTurn({ prompt: "say: two", threadId, sandbox: "read-only" });
    expect((await turn.result).status).toBe("completed");
    const now = await one.request("thread/resume", { threadId, excludeTurns: true });
    expect(now.sandbox).toMatchObject({ type: "readOnly" });
  });
});

describe("the commands", { timeout: LIMIT_MS }, () => {
  test("F140: `run`, `run --background` and `review` leave no thread and no MCP server", async () => {
    await using world = await withServer();
    const appServer = await appServerOf(world);
    for (const turn of [1, 2]) {
      expect(await cli(world, ["run", `say: ${turn}`])).toMatchObject({ code: 0 });
      expect(await cli(world, ["run", "--background", `say: ${turn}`])).toMatchObject({ code: 0 });
      expect(await cli(world, ["jobs", "wait"])).toMatchObject({ code: 0 });
      const review = ["review", "--json", "--adversarial", `say: ${turn}`];
      await cli(world, review);
    }
    await eventually(() => servers(appServer) === 0, "the MCP servers have ended", WAIT_MS);
    await using client = await world.connect();
    expect((await client.status()).threads).toBe(0);
  });
});
