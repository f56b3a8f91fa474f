import { existsSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { type CodexHome, makeCodexHome } from "./codex-home.ts";
import { type Json, type JsonObject, at, textAt } from "./json.ts";
import { eventually } from "./eventually.ts";
import { guardAgainstLeaks } from "./leak-guard.ts";
import { MCP_SERVER_TABLE } from "./mcp-server.ts";
import { realCodex } from "./real-codex.ts";
import { type ScriptedModel, startScriptedModel } from "./scripted-model.ts";
import { StdioClient } from "./stdio-client.ts";
import { type TempDir, makeTempDir } from "./temp-dir.ts";

/** Settings of a turn that make codex ask: without a sandbox to leave it would not. */
const ASKING = { approvalPolicy: "on-request", sandboxPolicy: { type: "readOnly" } };

describe("the scripted model, asked by the real codex", () => {
  guardAgainstLeaks();

  let model: ScriptedModel;
  let work: TempDir;
  let home: CodexHome;
  let client: StdioClient;
  beforeAll(async () => {
    model = await startScriptedModel();
    work = await makeTempDir();
    home = await makeCodexHome({
      modelUrl: model.url,
      trusted: [work.path],
      tables: MCP_SERVER_TABLE,
    });
    client = new StdioClient({
      command: realCodex().native,
      env: { CODEX_HOME: home.path },
      cwd: work.path,
    });
    await client.initialize();
  });
  afterAll(async () => {
    await client.close();
    await home.remove();
    await work.remove();
    await model.close();
  });

  interface Running {
    readonly threadId: string;
    readonly turnId: string;
    /** Notifications of the turn by method, once it has completed. */
    readonly completed: () => Promise<{
      turn: Json;
      of: (method: string) => readonly JsonObject[];
    }>;
  }

  /** Starts a thread and a turn in it, with further fields of `turn/start`. */
  const begin = async (prompt: string, settings: JsonObject = {}): Promise<Running> => {
    const started = await client.request("thread/start", { cwd: work.path });
    const threadId = textAt(started, "thread.id");
    const input = [{ type: "text", text: prompt }];
    const answer = await client.request("turn/start", { threadId, input, ...settings });
    const turnId = textAt(answer, "turn.id");
    const completed: Running["completed"] = async () => {
      const done = await client.nextOf(
        "turn/completed",
        (params) => at(params, "turn.id") === turnId,
      );
      const ours = client.messages.filter(({ params }) => at(params, "turnId") === turnId);
      return {
        turn: at(done, "params.turn") ?? null,
        of: (method) => ours.filter((message) => message["method"] === method),
      };
    };
    return { threadId, turnId, completed };
  };

  const run = async (
    prompt: string,
    more?: JsonObject,
  ): Promise<Awaited<ReturnType<Running["completed"]>>> => {
    const { completed } = await begin(prompt, more);
    return await completed();
  };

  const deltas = (messages: readonly JsonObject[]): readonly string[] =>
    messages.map((message) => textAt(message, "params.delta"));

  const says = (text: string): unknown =>
    expect.objectContaining({ status: "completed", items: [expect.objectContaining({ text })] });

  test("say: a message, word by word", async () => {
    const { turn, of } = await run("say: hello big world");
    expect(turn).toEqual(says("hello big world"));
    expect(deltas(of("item/agentMessage/delta"))).toEqual(["hello", " big", " world"]);
  });

  test("slow: deltas with pauses, side by side in several threads", async () => {
    const slow = (word: string): ReturnType<typeof run> =>
      run(`hold: both ;; slow: 5x40ms ${word}`);
    const both = Promise.all([slow("one"), slow("two")]);
    await eventually(() => model.requests.inFlight === 2, "both ask the model");
    model.release("both");
    const [one, two] = await both;
    expect(one.turn).toEqual(says("one 1 one 2 one 3 one 4 one 5 "));
    expect(deltas(two.of("item/agentMessage/delta"))).toHaveLength(5);
  });

  test("stream: so many deltas of that size at that rate", async () => {
    const { of } = await run("stream: 50 deltas at 200/s of 32 bytes");
    const stream = of("item/agentMessage/delta");
    expect(deltas(stream)).toEqual(Array.from({ length: 50 }, () => "x".repeat(32)));
    const [first, last] = [stream[0], stream.at(-1)].map((one) => at(one, "emittedAtMs"));
    expect(Number(last) - Number(first)).toBeGreaterThan(200);
  });

  test("json: exactly this text, which an output schema wants", async () => {
    const outputSchema = {
      type: "object",
      properties: { ok: { type: "boolean" } },
      required: ["ok"],
      additionalProperties: false,
    };
    const { turn } = await run('json: {"ok":true}', { outputSchema });
    expect(turn).toEqual(says('{"ok":true}'));
    expect(at(model.requests.recent.at(-1)?.body, "text.format.schema")).toEqual(outputSchema);
  });

  test("think: a reasoning item and then a message", async () => {
    const { turn, of } = await run("think: it is a trick");
    expect(turn).toEqual(says("I have thought about it."));
    expect(of("item/completed").map(({ params }) => at(params, "item"))).toContainEqual(
      expect.objectContaining({ type: "reasoning", summary: ["it is a trick"] }),
    );
  });

  test("shell: a command is run and its output quoted", async () => {
    const { turn, of } = await run("shell: echo hi > made; cat made");
    expect(turn).toEqual(says("The tool said: hi"));
    expect(existsSync(join(work.path, "made"))).toBe(true);
    expect(of("item/completed").map(({ params }) => at(params, "item"))).toContainEqual(
      expect.objectContaining({ type: "commandExecution", status: "completed", exitCode: 0 }),
    );
  });

  test("a chain of steps takes as many requests as it has calls, and one more", async () => {
    const before = model.requests.total;
    const { turn, of } = await run("shell: echo a ;; say: between ;; shell: echo b ;; say: done");
    expect(turn).toEqual(says("done"));
    expect(model.requests.total - before).toBe(3);
    const messages = of("item/completed").filter(
      ({ params }) => at(params, "item.type") === "agentMessage",
    );
    expect(messages.map((message) => textAt(message, "params.item.text"))).toEqual([
      "between",
      "done",
    ]);
  });

  test("tool: any other tool that codex offers", async () => {
    const { turn } = await run("tool: get_goal {}");
    expect(at(turn, "items.0.text")).toContain('The tool said: {"goal":null');
  });

  test.each([
    ["accept", "The tool said: hi"],
    ["decline", expect.stringContaining("rejected by user")],
  ])("shell-ask: codex asks, and is told to %s", async (decision, text) => {
    const { threadId, completed } = await begin("shell-ask: echo hi", ASKING);
    const question = await client.nextOf(
      "item/commandExecution/requestApproval",
      (params) => at(params, "threadId") === threadId,
    );
    client.send({ id: question["id"] ?? null, result: { decision } });
    const { turn } = await completed();
    expect(turn).toMatchObject({ status: "completed", items: [{ text }] });
  });

  test.each([
    ["accept", "The tool said: noted: hello"],
    ["decline", expect.stringContaining("user rejected MCP tool call")],
  ])("tool: one of an MCP server, which codex asks about, told to %s", async (action, text) => {
    const { threadId, completed } = await begin('tool: note {"text":"hello"}', ASKING);
    const question = await client.nextOf(
      "mcpServer/elicitation/request",
      (params) => at(params, "threadId") === threadId,
    );
    expect(question["params"]).toMatchObject({
      serverName: "notes",
      mode: "form",
      _meta: { codex_approval_kind: "mcp_tool_call", tool_name: "note" },
    });
    const result = { action, content: action === "accept" ? {} : null, _meta: null };
    client.send({ id: question["id"] ?? null, result });
    expect((await completed()).turn).toMatchObject({ status: "completed", items: [{ text }] });
  });

  test("hold: the model waits until it is released", async () => {
    const { turnId, completed } = await begin("say: before ;; hold: gate ;; say: after");
    await client.nextOf(
      "item/completed",
      (params) => at(params, "turnId") === turnId && at(params, "item.type") === "agentMessage",
    );
    await client.request("thread/loaded/list");
    const ended = client.messages.filter(({ method }) => method === "turn/completed");
    expect(ended.map((message) => at(message, "params.turn.id"))).not.toContain(turnId);
    model.release("gate");
    expect((await completed()).turn).toEqual(says("after"));
  });

  test.each<[prompt: string, info: unknown, message: string]>([
    ["fail: no more", "other", "no more"],
    ["quota", "usageLimitExceeded", "hit your usage limit"],
    ["http: 500", "internalServerError", "high demand"],
    ["http: 401", { httpConnectionFailed: { httpStatusCode: 401 } }, "401 Unauthorized"],
    ["http: 429", { responseTooManyFailedAttempts: { httpStatusCode: 429 } }, "429"],
    ["say: half a ;; drop", "other", "stream disconnected before completion"],
    ["shell: echo hi ;; http: 500", "internalServerError", "high demand"],
  ])("%s fails the turn", async (prompt, info, message) => {
    const { turn, of } = await run(prompt);
    expect(turn).toMatchObject({
      status: "failed",
      error: { codexErrorInfo: info, message: expect.stringContaining(message) },
    });
    expect(of("error")).toHaveLength(1);
  });

  test("silence: nothing comes until the turn is interrupted, and then the model is free", async () => {
    const { threadId, turnId, completed } = await begin("silence");
    await expect.poll(() => model.requests.inFlight).toBe(1);
    await client.request("turn/interrupt", { threadId, turnId });
    expect((await completed()).turn).toMatchObject({ status: "interrupted" });
    await expect.poll(() => model.requests.inFlight).toBe(0);
  });

  test("anything else: a short echo", async () => {
    const { turn } = await run("What is the weather in Ghent?");
    expect(turn).toEqual(says("You said: What is the weather in Ghent?"));
  });
});
