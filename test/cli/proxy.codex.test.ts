import { once } from "node:events";
import { truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { at, textAt, type Json, type JsonObject } from "../support/json.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { StdioClient } from "../support/stdio-client.ts";
import { livingBrokers } from "../support/stop-brokers.ts";
import { makeWorld, type World } from "../support/world.ts";
import { cli, CLI, privateEnvironment, startCli } from "./program.ts";

guardAgainstLeaks();

/** Many programs are started one after the other, and the machine may be busy. */
const LIMIT_MS = 90_000;

const WAIT_MS = 30_000;
const ASKING = { approvalPolicy: "on-request", sandboxMode: "read-only" } as const;

/** A program that was told to start `codex-broker proxy` instead of `codex app-server`. */
function start(world: World, ...args: readonly string[]): StdioClient {
  return new StdioClient({
    command: process.execPath,
    args: [CLI, "proxy", ...args],
    env: privateEnvironment(world) as Record<string, string>,
    cwd: world.workspace,
    deadlineMs: WAIT_MS,
  });
}

async function startThread(program: StdioClient, params: JsonObject = {}): Promise<string> {
  return textAt(await program.request("thread/start", params), "thread.id");
}

async function startTurn(program: StdioClient, threadId: string, text: string): Promise<string> {
  const input = [{ type: "text", text, text_elements: [] }];
  return textAt(await program.request("turn/start", { threadId, input }), "turn.id");
}

async function endOf(program: StdioClient, turnId: string): Promise<Json | undefined> {
  const said = await program.nextOf("turn/completed", (params) => at(params, "turn.id") === turnId);
  return at(said["params"], "turn");
}

/** What Codex said last in the turn. */
function messagesIn(program: StdioClient, threadId: string): Json[] {
  return program.messages.flatMap(({ method, params }) => {
    const item = at(params, "item");
    const said = method === "item/completed" && at(item, "type") === "agentMessage";
    return said && at(params, "threadId") === threadId ? [at(item, "text") ?? ""] : [];
  });
}

async function rotate(world: World): Promise<void> {
  const successor = await world.connect({ replace: true });
  successor.close();
}

describe("proxy", { timeout: LIMIT_MS }, () => {
  test("is a codex app-server for whoever starts it: the same words, and a turn", async () => {
    await using world = await makeWorld();
    await using program = start(world, "--", "app-server", "--listen", "stdio://");
    // In one go, as programs do.
    program.write(
      '{"id":"a","method":"initialize","params":{"clientInfo":{"name":"p","title":null,"version":"1"}}}\n' +
        '{"method":"initialized"}\n{"id":9007199254740993,"method":"thread/loaded/list","params":{}}\n',
    );
    const hello = await program.next(({ id }) => id === "a");
    expect(Object.keys(at(hello, "result") as object)).toEqual([
      "userAgent",
      "codexHome",
      "platformFamily",
      "platformOs",
    ]);
    await program.nextLine((line) => line.startsWith('{"id":9007199254740993,"result"'));
    const opened = await program.request("thread/start", {});
    expect(at(opened, "cwd")).toBe(world.workspace);
    const threadId = textAt(opened, "thread.id");
    const turnId = await startTurn(program, threadId, "say: hello");
    expect(await endOf(program, turnId)).toMatchObject({ status: "completed" });
    expect(messagesIn(program, threadId)).toEqual(["hello"]);
    expect(program.lines.filter((line) => line.includes('"broker/'))).toEqual([]);
    expect((await program.ask("initialize", {}))["error"]).toMatchObject({ code: -32600 });
    program.write("nonsense\n");
    await program.next((message) => at(message, "error.code") === -32700);
    program.endInput();
    expect(await program.ended()).toEqual({ code: 0, signal: null });
    expect(program.stderr).toBe("");
  });

  test("what a program passes to codex reaches its private app-server (F152)", async () => {
    await using world = await makeWorld();
    const given = ["--private", "--", "-c", 'model="mine"', "app-server", "--listen", "stdio://"];
    await using program = start(world, ...given);
    await program.initialize();
    expect(textAt(await program.request("thread/start", {}), "model")).toBe("mine");
    await using shared = start(world, "--", "app-server");
    await shared.initialize();
    expect(textAt(await shared.request("thread/start", {}), "model")).not.toBe("mine");
  });

  test("two at once share one app-server, and each hears its own", async () => {
    await using world = await makeWorld();
    await using one = start(world);
    await using other = start(world);
    await Promise.all([one.initialize(), other.initialize()]);
    const threads = [await startThread(one), await startThread(other)] as const;
    const first = await startTurn(one, threads[0], "hold: both ;; say: one");
    const second = await startTurn(other, threads[1], "hold: both ;; say: other");
    await eventually(() => world.model.requests.maxInFlight === 2, "both run");
    world.model.release("both");
    await Promise.all([endOf(one, first), endOf(other, second)]);
    expect(livingBrokers(world.stateDir)).toHaveLength(1);
    expect(messagesIn(one, threads[0])).toEqual(["one"]);
    expect(messagesIn(one, threads[1])).toEqual([]);
    expect(messagesIn(other, threads[1])).toEqual(["other"]);
  });

  test("a turn/start on its own running thread is added to the turn, as Codex does it; another program's is refused (F109)", async () => {
    await using world = await makeWorld();
    await using program = start(world);
    await using other = start(world);
    await Promise.all([program.initialize(), other.initialize()]);
    const threadId = await startThread(program);
    const texts = ["hold: gate ;; say: one", "say: two", "say: three"];
    // At once, as a program that generates three texts does.
    const turnIds = await Promise.all(texts.map((text) => startTurn(program, threadId, text)));
    expect(new Set(turnIds).size).toBe(1);
    await startTurn(program, threadId, "say: ready ;; hold: gate ;; say: last");
    // Before it is saved, Codex lets nobody resume the thread.
    const isReady = (): boolean => messagesIn(program, threadId).includes("ready");
    await eventually(isReady, "the turn has got to the last", WAIT_MS);
    await other.request("thread/resume", { threadId, excludeTurns: true });
    const input = [{ type: "text", text: "say: not theirs", text_elements: [] }];
    const refused = await other.ask("turn/start", { threadId, input });
    expect(at(refused, "error.data.kind")).toBe("threadBusy");
    world.model.release("gate");
    expect(await endOf(program, turnIds[0] ?? "")).toMatchObject({ status: "completed" });
    expect(messagesIn(program, threadId)).toContain("last");
    expect(messagesIn(program, threadId)).not.toContain("not theirs");
    const ends = program.messages.filter(({ method }) => method === "turn/completed");
    expect(ends).toHaveLength(1);
    const next = await startTurn(other, threadId, "say: now theirs");
    expect(await endOf(other, next)).toMatchObject({ status: "completed" });
  });

  test("a response of more than 64 MiB reaches the program (F117)", async () => {
    await using world = await makeWorld();
    await using program = start(world);
    await program.initialize();
    // Nothing on the disk, and 80 MiB as base64.
    const path = join(world.workspace, "big");
    await writeFile(path, "");
    await truncate(path, 60 * 1024 * 1024);
    const { dataBase64 } = (await program.request("fs/readFile", { path })) as JsonObject;
    expect((dataBase64 as string).length).toBe(80 * 1024 * 1024);
    expect(await program.request("thread/loaded/list", {})).toMatchObject({ data: [] });
  });

  test("a program cancels its own sample by its own id, and no one else's (F108)", async () => {
    await using world = await makeWorld();
    await using program = start(world);
    await using other = start(world);
    for (const each of [program, other]) {
      const clientInfo = { name: "p", title: null, version: "1" };
      await each.request("initialize", { clientInfo, capabilities: { experimentalApi: true } });
    }
    const threadId = await startThread(program);
    const expectedTurnId = await startTurn(program, threadId, "say: done");
    await endOf(program, expectedTurnId);
    const { total } = world.model.requests;
    const params = { threadId, expectedTurnId, prompt: "hold: gate" };
    program.write(`${JSON.stringify({ id: "sample", method: "thread/sample", params })}\n`);
    await eventually(() => world.model.requests.total > total, "the model is asked", WAIT_MS);
    for (let requestId = 0; requestId < 40; requestId += 1) {
      expect(await other.request("thread/sample/cancel", { requestId })).toEqual({});
      // Nor does the program itself hit it by the number that it has at the broker.
      expect(await program.request("thread/sample/cancel", { requestId })).toEqual({});
    }
    expect(world.model.requests.inFlight).toBe(1);
    expect(await program.request("thread/sample/cancel", { requestId: "sample" })).toEqual({});
    const cancelled = await program.next(({ id }) => id === "sample");
    expect(at(cancelled, "error.message")).toBe("sample canceled");
  });

  test.each([
    ["its result alone", {}],
    ["a null error beside its result", { error: null }],
  ])("a question reaches the program, and its answer the turn: %s (F107)", async (_what, more) => {
    await using world = await makeWorld({ config: ASKING });
    await using program = start(world);
    await program.initialize();
    const threadId = await startThread(program);
    const turnId = await startTurn(program, threadId, "shell-ask: echo asked ;; say: done");
    const question = await program.nextOf("item/commandExecution/requestApproval");
    program.send({ id: question["id"] ?? null, result: { decision: "accept" }, ...more });
    const resolved = await program.nextOf("serverRequest/resolved");
    expect(at(resolved, "params.requestId")).toBe(question["id"]);
    expect(await endOf(program, turnId)).toMatchObject({ status: "completed" });
    expect(program.lines.filter((line) => line.includes('"error":{'))).toEqual([]);
  });

  test("the end of its stdin ends it, and the broker interrupts its turn", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    await using program = start(world);
    await program.initialize();
    await startTurn(program, await startThread(program), "slow: 600x50ms tick");
    await eventually(async () => (await client.status()).turns.length === 1, "the turn runs");
    program.endInput();
    expect(await program.ended()).toEqual({ code: 0, signal: null });
    await eventually(async () => (await client.status()).turns.length === 0, "the turn ends");
  });

  test("F50: a program that reads no more ends it", async () => {
    await using world = await makeWorld();
    const proxy = startCli(world, ["proxy"], { openStdin: true });
    proxy.child.stdin.write(
      '{"id":1,"method":"initialize","params":{"clientInfo":{"name":"p","version":"1"}}}\n',
    );
    await proxy.shows(/userAgent/, "stdout");
    proxy.child.stdout.destroy();
    proxy.child.stdin.write('{"id":2,"method":"model/list","params":{}}\n');
    await once(proxy.child, "exit");
    expect(proxy.child.exitCode).toBe(0);
  });
});

describe("proxy: the broker is replaced under it", { timeout: LIMIT_MS }, () => {
  test("F22 F29: a turn that runs is not cut, an idle thread moves, and the program is told", async () => {
    await using world = await makeWorld();
    await using program = start(world);
    await program.initialize();
    const [busy, idle] = [await startThread(program), await startThread(program)];
    await endOf(program, await startTurn(program, idle, "say: before"));
    const running = await startTurn(program, busy, "hold: gate ;; say: not cut");
    await rotate(world);
    const warning = await program.nextOf("warning", (params) => at(params, "threadId") === null);
    expect(at(warning, "params.message")).toContain("epoch 1 → 2");
    // New work and the idle thread go on in the successor, while the turn runs in the old one.
    const next = await startTurn(program, idle, "say: after");
    expect(await endOf(program, next)).toMatchObject({ status: "completed" });
    expect(messagesIn(program, idle)).toEqual(["before", "after"]);
    expect(livingBrokers(world.stateDir)).toHaveLength(2);
    world.model.release("gate");
    expect(await endOf(program, running)).toMatchObject({ status: "completed" });
    expect(messagesIn(program, busy)).toEqual(["not cut"]);
    // And the thread of that turn follows.
    const last = await startTurn(program, busy, "say: and on");
    expect(await endOf(program, last)).toMatchObject({ status: "completed" });
    await eventually(() => livingBrokers(world.stateDir).length === 1, "the older broker ends");
  });

  test("F29 F36: while it drains, its turn is still answered for and interrupted where it runs", async () => {
    await using world = await makeWorld({ config: ASKING });
    await using program = start(world);
    await program.initialize();
    const threads = [await startThread(program), await startThread(program)] as const;
    const asking = await startTurn(program, threads[0], "shell-ask: echo a ;; say: answered");
    const first = await program.nextOf("item/commandExecution/requestApproval");
    const long = await startTurn(program, threads[1], "slow: 600x50ms tick");
    await rotate(world);
    await program.nextOf("warning", (params) => at(params, "threadId") === null);
    // The successor asks too, under an id that the old one has used as well.
    const newThread = await startThread(program);
    const third = await startTurn(program, newThread, "shell-ask: echo b ;; say: answered b");
    const second = await program.nextOf("item/commandExecution/requestApproval");
    expect(second["id"]).not.toBe(first["id"]);
    program.send({ id: second["id"] ?? null, result: { decision: "accept" } });
    program.send({ id: first["id"] ?? null, result: { decision: "accept" } });
    expect(await endOf(program, third)).toMatchObject({ status: "completed" });
    expect(await endOf(program, asking)).toMatchObject({ status: "completed" });
    await program.request("turn/interrupt", { threadId: threads[1], turnId: long });
    expect(await endOf(program, long)).toMatchObject({ status: "interrupted" });
  });

  test.each(["thread/unsubscribe", "thread/archive"])(
    "F186: after %s the program hears nothing more of the turn, and no older broker is held for it",
    async (method) => {
      await using world = await makeWorld();
      await using client = await world.connect();
      await using program = start(world);
      await program.initialize();
      const threadId = await startThread(program);
      await endOf(program, await startTurn(program, threadId, "say: saved"));
      const turn = client.runTurn({ prompt: "hold: gate ;; say: done", threadId });
      turn.result.catch(() => {});
      await eventually(() => turn.turnId !== undefined, "the turn has its id");
      await program.nextOf("turn/started", (params) => at(params, "turn.id") === turn.turnId);
      await program.request(method, { threadId });
      world.model.release("gate");
      await turn.result.catch(() => {});
      const ends = (): unknown[] =>
        program.messages.filter(
          (message) =>
            message["method"] === "turn/completed" &&
            at(message["params"], "turn.id") !== undefined,
        );
      const before = ends().length;
      await rotate(world);
      await program.nextOf("warning", (params) => at(params, "threadId") === null);
      client.close();
      await eventually(() => livingBrokers(world.stateDir).length === 1, "the older ends", 4_000);
      await program.request("thread/loaded/list", {});
      expect(ends()).toHaveLength(before);
    },
  );

  test("F187: a turn on a thread whose turn runs in the older broker is refused, or waits", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    await using program = start(world);
    await program.initialize();
    const threadId = await startThread(program);
    await endOf(program, await startTurn(program, threadId, "say: saved"));
    const running = client.runTurn({ prompt: "hold: gate ;; say: first", threadId });
    await eventually(() => world.model.requests.inFlight === 1, "the turn runs");
    await rotate(world);
    await program.nextOf("warning", (params) => at(params, "threadId") === null);
    const input = [{ type: "text", text: "say: second", text_elements: [] }];
    const refused = await program.ask("turn/start", { threadId, input });
    expect(refused).toMatchObject({ error: { data: { kind: "threadBusy", retryable: true } } });
    const params = { threadId, input, broker: { whenBusy: "queue" } };
    const queued = program.request("turn/start", params);
    world.model.release("gate");
    expect((await running.result).status).toBe("completed");
    expect(await endOf(program, textAt(await queued, "turn.id"))).toMatchObject({
      status: "completed",
    });
  });

  test("F29: no turn is lost while brokers rotate", { timeout: LIMIT_MS }, async () => {
    await using world = await makeWorld();
    await using program = start(world);
    await program.initialize();
    const rotating = new AbortController();
    const ends: unknown[] = [];
    const worker = async (name: string): Promise<void> => {
      const threadId = await startThread(program);
      for (let i = 0; !rotating.signal.aborted; i += 1) {
        const turn = await endOf(program, await startTurn(program, threadId, `say: ${name} ${i}`));
        ends.push(at(turn, "status"));
        expect(messagesIn(program, threadId).at(-1)).toBe(`${name} ${i}`);
      }
    };
    const first = ["a", "b", "c"].map(worker);
    await eventually(() => ends.length > 6, "every thread has had a turn", WAIT_MS);
    for (let round = 0; round < 4; round += 1) await rotate(world);
    rotating.abort();
    await Promise.all(first);
    expect(new Set(ends)).toEqual(new Set(["completed"]));
    await eventually(() => livingBrokers(world.stateDir).length === 1, "the older ones end");
  });
});

describe("proxy: the broker is lost under it", { timeout: LIMIT_MS }, () => {
  test.each(["broker", "appServer"] as const)(
    "F42: the %s is killed: what was asked is answered, the turn ends, the thread goes on",
    async (which) => {
      await using world = await makeWorld();
      await using program = start(world);
      await program.initialize();
      const threadId = await startThread(program);
      await endOf(program, await startTurn(program, threadId, "say: before"));
      const turnId = await startTurn(program, threadId, "hold: for ever");
      await eventually(() => world.model.requests.inFlight === 1, "the turn runs");
      const [record] = livingBrokers(world.stateDir);
      const asked = program.ask("command/exec", {
        command: [process.execPath, "-e", "setInterval(() => {}, 1e6)"],
        sandboxPolicy: { type: "dangerFullAccess" },
      });
      const pid = record?.[which]?.pid ?? 0;
      process.kill(pid, "SIGKILL");
      expect(await asked).toMatchObject({
        error: { data: { kind: expect.any(String) as string } },
      });
      const end = await endOf(program, turnId);
      expect(end).toMatchObject({
        status: "interrupted",
        error: { message: expect.stringContaining("lost") as string },
      });
      await program.nextOf("warning", (params) => at(params, "threadId") === null);
      const next = await startTurn(program, threadId, "say: and on");
      expect(await endOf(program, next)).toMatchObject({ status: "completed" });
      expect(messagesIn(program, threadId)).toEqual(["before", "and on"]);
    },
  );

  test("a thread that nothing is kept of is closed, and its turn fails", async () => {
    await using world = await makeWorld();
    await using program = start(world);
    await program.initialize();
    const threadId = await startThread(program, { ephemeral: true });
    const turnId = await startTurn(program, threadId, "hold: for ever");
    await eventually(() => world.model.requests.inFlight === 1, "the turn runs");
    process.kill(livingBrokers(world.stateDir)[0]?.broker.pid ?? 0, "SIGKILL");
    await program.nextOf("thread/closed", (params) => at(params, "threadId") === threadId);
    expect(await endOf(program, turnId)).toMatchObject({ status: "failed" });
  });

  test("one that was stopped is not started again: the proxy ends with the reason", async () => {
    await using world = await makeWorld();
    await using program = start(world);
    await program.initialize();
    await cli(world, ["stop"]);
    expect((await program.ended()).code).toBe(4);
    expect(program.stderr).toContain("stopped");
    expect(livingBrokers(world.stateDir)).toEqual([]);
  });
});

describe("proxy: without a broker", { timeout: LIMIT_MS }, () => {
  test("says why, answers `initialize` with it, and ends", async () => {
    await using world = await makeWorld({ codex: "/nowhere/codex" });
    await using program = start(world);
    expect((await program.ended()).code).toBe(3);
    expect(program.stderr).toContain("/nowhere/codex");
  });

  test("settings for one program alone are refused, with what to do instead", async () => {
    await using world = await makeWorld();
    const refused = await cli(world, ["proxy", "--", "app-server", "-c", "model=x"]);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain("config.toml");
    expect(livingBrokers(world.stateDir)).toEqual([]);
  });
});
