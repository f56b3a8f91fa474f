import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { type CodexHome, makeCodexHome } from "../support/codex-home.ts";
import { FAKE_APP_SERVER } from "../support/fake-codex.ts";
import { type Json, type JsonObject, at, listAt, textAt } from "../support/json.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { realCodex } from "../support/real-codex.ts";
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts";
import { StdioClient } from "../support/stdio-client.ts";
import { type TempDir, makeTempDir } from "../support/temp-dir.ts";

/**
 * What the broker relies on in an app-server, held against the real one and against the fake. Where the two part, a test
 * with the fake proves nothing.
 */
const SUBJECTS: readonly (readonly [name: string, command: string])[] = [
  ["codex", realCodex().native],
  ["the fake", FAKE_APP_SERVER],
];

/** The id of a thread that nobody has. */
const NOBODY = "01a204c0-5eb8-71e0-9e0e-52688c282efb";

/** What comes with every turn in no certain place. */
const ANYWHERE = [
  "warning",
  "thread/tokenUsage/updated",
  "account/rateLimits/updated",
  "thread/readState/changed",
];

describe.each(SUBJECTS)("%s", (_name, command) => {
  guardAgainstLeaks();

  let model: ScriptedModel;
  let work: TempDir;
  let home: CodexHome;
  beforeAll(async () => {
    model = await startScriptedModel();
    work = await makeTempDir();
    home = await makeCodexHome({
      modelUrl: model.url,
      approvalPolicy: "on-request",
      sandboxMode: "read-only",
      trusted: [work.path],
    });
  });
  afterAll(async () => {
    await home.remove();
    await work.remove();
    await model.close();
  });

  const open = (): StdioClient =>
    new StdioClient({ command, env: { CODEX_HOME: home.path }, cwd: work.path });

  const openInitialized = async (): Promise<StdioClient> => {
    const client = open();
    await client.initialize();
    return client;
  };

  const startThread = async (client: StdioClient): Promise<string> =>
    textAt(await client.request("thread/start", { cwd: work.path }), "thread.id");

  /** Asks and gives what the answer says of the error. */
  const refusal = async (
    client: StdioClient,
    method: string,
    params: Json,
  ): Promise<Json | undefined> => (await client.ask(method, params))["error"];

  describe("handshake", () => {
    test("F98: answers initialize over its standard streams, one JSON message a line, with who it is", async () => {
      await using client = open();
      expect(await client.initialize()).toEqual({
        userAgent: expect.stringMatching(/^test\/0\.169\.0 \(.+\).* \(test; 0\)$/),
        codexHome: home.path,
        platformFamily: process.platform === "win32" ? "windows" : "unix",
        platformOs: expect.any(String),
      });
    });

    test("does not insist on initialized, and takes the first request with it", async () => {
      await using client = open();
      const clientInfo = { name: "test", title: null, version: "0" };
      const first = { id: "a", method: "initialize", params: { clientInfo } };
      const second = { id: "b", method: "thread/loaded/list", params: {} };
      client.write(`${JSON.stringify(first)}\n${JSON.stringify(second)}\n`);
      expect(await client.next(({ id }) => id === "b")).toHaveProperty("result.data", []);
    });

    test("serves nothing before it", async () => {
      await using client = open();
      expect(await refusal(client, "thread/loaded/list", {})).toEqual({
        code: -32600,
        message: "Not initialized",
      });
    });

    test("happens once", async () => {
      await using client = await openInitialized();
      const params = { clientInfo: { name: "again", title: null, version: "0" } };
      expect(await refusal(client, "initialize", params)).toEqual({
        code: -32600,
        message: "Already initialized",
      });
    });

    test("hides the notifications that were opted out of", async () => {
      await using client = open();
      await client.initialize({ optOutNotificationMethods: ["thread/started", "nope"] });
      const threadId = await startThread(client);
      await completeTurn(client, threadId, "say: hi");
      expect(client.messages.map(({ method }) => method)).not.toContain("thread/started");
    });

    test("opens experimental methods only to those who ask", async () => {
      await using client = open();
      await client.initialize({});
      expect(await refusal(client, "server/diagnostics", {})).toEqual({
        code: -32600,
        message: "server/diagnostics requires experimentalApi capability",
      });
    });
  });

  describe("lines", () => {
    let client: StdioClient;
    beforeAll(async () => {
      client = await openInitialized();
    });
    afterAll(async () => {
      await client.close();
    });

    const probe = (id: string): string => `{"id":${id},"method":"thread/loaded/list","params":{}}`;

    test.each([
      ["a string", '"a \\u2028 b"', '"a \u2028 b"'],
      ["a negative number", "-3", "-3"],
      ["more than a double can hold", "9007199254740993", "9007199254740993"],
    ])("gives back an id that is %s", async (_what, sent, back) => {
      client.write(`${probe(sent)}\n`);
      const line = await client.nextLine((text) => text.includes('"data":[]'));
      expect(line).toContain(`"id":${back},`);
    });

    test.each([
      ["a fraction as id", probe("1.5")],
      ["null as id", probe("null")],
      ["no JSON", "x"],
      ["an empty line", ""],
      ["a batch", `[${probe("1")}]`],
      ["an object that is no message", '{"id":12}'],
      ["an answer that nobody waits for", '{"id":7,"result":{}}'],
      ["an unknown notification", '{"method":"nope","params":{}}'],
    ])("is silent on %s, and goes on", async (_what, line) => {
      const before = client.messages.length;
      client.write(`${line}\n${probe('"after"')}\n`);
      await client.next(({ id }) => id === "after");
      const answers = client.messages.slice(before).filter((message) => !("method" in message));
      expect(answers.map(({ id }) => id)).toEqual(["after"]);
    });

    test("may end in CR LF and may carry a jsonrpc member, which is never given back", async () => {
      client.write('{"jsonrpc":"2.0","id":"a","method":"thread/loaded/list","params":{}}\r\n');
      expect(await client.next(({ id }) => id === "a")).not.toHaveProperty("jsonrpc");
    });

    test("end the server when they are no UTF-8", async () => {
      await using other = await openInitialized();
      other.write(Buffer.from([0x7b, 0xff, 0x0a]));
      expect(await other.ended()).toEqual({ code: 0, signal: null });
      expect(other.stderr).toContain("stream did not contain valid UTF-8");
    });
  });

  describe("refusals", () => {
    let client: StdioClient;
    beforeAll(async () => {
      client = await openInitialized();
    });
    afterAll(async () => {
      await client.close();
    });

    test.each<[what: string, method: string, params: Json, message: string | RegExp]>([
      ["an unknown method", "nope/x", {}, /^Invalid request: unknown variant `nope\/x`, expected/],
      ["no params", "thread/loaded/list", null, "Invalid request: missing field `params`"],
      ["a missing field", "thread/read", {}, "Invalid request: missing field `threadId`"],
      ["a malformed thread id", "turn/start", { threadId: "x", input: [] }, /^invalid thread id: /],
      [
        "a turn on an unknown thread",
        "turn/start",
        { threadId: NOBODY, input: [{ type: "text", text: "hi" }] },
        `thread not found: ${NOBODY}`,
      ],
      [
        "an interrupt on an unknown thread",
        "turn/interrupt",
        { threadId: NOBODY, turnId: "x" },
        `thread not found: ${NOBODY}`,
      ],
      [
        "a look at an unknown thread",
        "thread/read",
        { threadId: NOBODY },
        `thread not loaded: ${NOBODY}`,
      ],
      [
        "a look at the turns of an unknown thread",
        "thread/turns/list",
        { threadId: NOBODY },
        `thread not loaded: ${NOBODY}`,
      ],
      [
        "a resume of an unknown thread",
        "thread/resume",
        { threadId: NOBODY },
        `no rollout found for thread id ${NOBODY}`,
      ],
    ])("%s", async (_what, method, params, message) => {
      const expected = typeof message === "string" ? message : expect.stringMatching(message);
      expect(await refusal(client, method, params)).toEqual({ code: -32600, message: expected });
    });

    test("an unknown method, also before initialize", async () => {
      await using other = open();
      const error = await refusal(other, "nope/x", {});
      expect(textAt(error, "message")).toContain("unknown variant `nope/x`");
    });

    test("an input that is too long", async () => {
      const threadId = await startThread(client);
      const input = [{ type: "text", text: "x".repeat(1_048_577) }];
      expect(await refusal(client, "turn/start", { threadId, input })).toEqual({
        code: -32602,
        message: "Input exceeds the maximum length of 1048576 characters.",
        data: {
          input_error_code: "input_too_large",
          max_chars: 1_048_576,
          actual_chars: 1_048_577,
        },
      });
    });
  });

  describe("threads", () => {
    test("are announced after the answer that names them", async () => {
      await using client = await openInitialized();
      const threadId = await startThread(client);
      await client.nextOf("thread/started");
      const named = client.messages.filter((message) => threadOf(message) === threadId);
      expect(named.map(({ method }) => method)).toEqual([undefined, "thread/started"]);
      expect(await client.request("thread/loaded/list", { limit: 1 })).toEqual({
        data: [threadId],
        nextCursor: null,
      });
    });

    test("have no turns to list before the first one", async () => {
      await using client = await openInitialized();
      const threadId = await startThread(client);
      const error = await refusal(client, "thread/turns/list", { threadId });
      expect(textAt(error, "message")).toContain(`thread ${threadId} is not materialized yet`);
    });

    test("are let go once", async () => {
      await using client = await openInitialized();
      const threadId = await startThread(client);
      const letGo = async (id: string): Promise<Json | undefined> =>
        at(await client.request("thread/unsubscribe", { threadId: id }), "status");
      expect(await letGo(threadId)).toBe("unsubscribed");
      expect(await letGo(threadId)).toBe("notSubscribed");
      expect(await letGo(NOBODY)).toBe("notLoaded");
    });

    test("tell of themselves in the diagnostics", async () => {
      await using client = await openInitialized();
      await startThread(client);
      const { pid } = client;
      expect(await client.request("server/diagnostics")).toMatchObject({
        process: { id: pid },
        gauges: expect.arrayContaining([{ name: "core.threads.live", value: 1 }]),
      });
    });
  });

  describe("turns", () => {
    test("tell their story in order", async () => {
      await using client = await openInitialized();
      const threadId = await startThread(client);
      await client.nextOf("thread/started");
      const before = client.messages.length;
      const turnId = await startTurn(client, threadId, "say: hello world");
      const completed = await turnCompleted(client, turnId);

      const story = client.messages.slice(before);
      const told = story.map(chapter);
      expect(told.filter((one) => !ANYWHERE.includes(one))).toEqual([
        "answer",
        "thread/status/changed active",
        "turn/started inProgress",
        "item/started userMessage",
        "item/completed userMessage",
        "item/started agentMessage",
        "item/agentMessage/delta",
        "item/agentMessage/delta",
        "item/completed agentMessage",
        "thread/status/changed idle",
        "turn/completed completed",
      ]);
      expect(told).toEqual(expect.arrayContaining(ANYWHERE));
      const notifications = story.filter(({ method }) => method !== undefined);
      expect(notifications.map(({ emittedAtMs }) => typeof emittedAtMs)).not.toContain("undefined");

      const deltas = story.filter(({ method }) => method === "item/agentMessage/delta");
      expect(deltas.map((delta) => textAt(delta, "params.delta")).join("")).toBe("hello world");
      expect(completed).toMatchObject({
        threadId,
        turn: { id: turnId, status: "completed", error: null, items: [{ text: "hello world" }] },
      });
    });

    test("answer at once, with the id and nothing else yet", async () => {
      await using client = await openInitialized();
      const threadId = await startThread(client);
      const input = [{ type: "text", text: "say: hi" }];
      const { turn } = (await client.request("turn/start", { threadId, input })) as JsonObject;
      expect(turn).toMatchObject({ status: "inProgress", items: [], error: null, startedAt: null });
      await turnCompleted(client, textAt(turn, "id"));
    });

    test("run side by side on one connection", async () => {
      await using client = await openInitialized();
      const [one, two] = [await startThread(client), await startThread(client)];
      const turns = await Promise.all([
        startTurn(client, one, "slow: 10x40ms one"),
        startTurn(client, two, "slow: 10x40ms two"),
      ]);
      await Promise.all(turns.map(async (turn) => await turnCompleted(client, turn)));
      const order = client.messages
        .filter(({ method }) => method === "item/agentMessage/delta")
        .map((delta) => textAt(delta, "params.delta"));
      expect(order.indexOf("two 1 ")).toBeLessThan(order.indexOf("one 10 "));
      expect(order.indexOf("one 1 ")).toBeLessThan(order.indexOf("two 10 "));
    });

    test.each([
      ["fail: no more", "stream disconnected before completion: no more", "other"],
      ["quota", expect.stringContaining("hit your usage limit"), "usageLimitExceeded"],
    ])("that fail (%s) say why, and the next one works", async (prompt, message, info) => {
      await using client = await openInitialized();
      const threadId = await startThread(client);
      const turnId = await startTurn(client, threadId, prompt);
      const error = await client.nextOf("error");
      const why = { message, codexErrorInfo: info };
      expect(error["params"]).toMatchObject({ error: why, willRetry: false, threadId, turnId });
      expect(await turnCompleted(client, turnId)).toMatchObject({
        turn: { status: "failed", error: why },
      });
      const told = client.messages.map(chapter);
      expect(told).toContain("thread/status/changed systemError");
      expect(told).not.toContain("thread/status/changed idle");
      await completeTurn(client, threadId, "say: fine again");
    });

    test("can be interrupted while the model says nothing", async () => {
      await using client = await openInitialized();
      const threadId = await startThread(client);
      const turnId = await startTurn(client, threadId, "silence");
      await promptTaken(client, turnId);
      const before = client.messages.length;

      const error = await refusal(client, "turn/interrupt", { threadId, turnId: "nope" });
      expect(error).toEqual({
        code: -32600,
        message: `expected active turn id nope but found ${turnId}`,
      });
      expect(await client.request("turn/interrupt", { threadId, turnId })).toEqual({});
      expect(await turnCompleted(client, turnId)).toMatchObject({
        turn: { status: "interrupted" },
      });
      const told = client.messages.slice(before).map(chapter);
      expect(told.filter((one) => !ANYWHERE.includes(one))).toEqual([
        "answer",
        "answer",
        "thread/status/changed idle",
        "turn/completed interrupted",
      ]);
      expect(await refusal(client, "turn/interrupt", { threadId, turnId })).toEqual({
        code: -32600,
        message: "no active turn to interrupt",
      });
    });

    test("are steered by a second turn/start, which is no turn of its own", async () => {
      await using client = await openInitialized();
      const threadId = await startThread(client);
      const turnId = await startTurn(client, threadId, "silence");
      await promptTaken(client, turnId);
      expect(await startTurn(client, threadId, "say: steered")).toBe(turnId);
      expect(await turnCompleted(client, turnId)).toMatchObject({
        turn: { status: "completed", items: [{ text: "steered" }] },
      });
      const told = client.messages.map(chapter);
      expect(told.filter((one) => one.startsWith("turn/"))).toEqual([
        "turn/started inProgress",
        "turn/completed completed",
      ]);
    });

    test("are steered by turn/steer only under their own id", async () => {
      await using client = await openInitialized();
      const threadId = await startThread(client);
      const input = [{ type: "text", text: "say: steered" }];
      const idle = { threadId, expectedTurnId: "nope", input };
      expect(await refusal(client, "turn/steer", idle)).toEqual({
        code: -32600,
        message: "no active turn to steer",
      });
      const turnId = await startTurn(client, threadId, "silence");
      await promptTaken(client, turnId);
      expect(await refusal(client, "turn/steer", idle)).toEqual({
        code: -32600,
        message: `expected active turn id \`nope\` but found \`${turnId}\``,
      });
      const steer = { threadId, expectedTurnId: turnId, input };
      expect(await client.request("turn/steer", steer)).toEqual({ turnId });
      expect(await turnCompleted(client, turnId)).toMatchObject({
        turn: { status: "completed", items: [{ text: "steered" }] },
      });
    });
  });

  describe("approvals", () => {
    /** Starts a turn that asks, and gives the question. */
    const askFor = async (
      client: StdioClient,
    ): Promise<{ threadId: string; turnId: string; question: JsonObject }> => {
      const threadId = await startThread(client);
      const turnId = await startTurn(client, threadId, "shell-ask: echo hi");
      const question = await client.nextOf("item/commandExecution/requestApproval");
      return { threadId, turnId, question };
    };
    const answer = (client: StdioClient, id: Json | undefined, decision: string): void => {
      client.send({ id: id ?? null, result: { decision } });
    };

    test("are asked for under an id that counts from 0", async () => {
      await using client = await openInitialized();
      const { threadId, turnId, question } = await askFor(client);
      expect(question).toMatchObject({
        id: 0,
        params: {
          kind: "command",
          threadId,
          turnId,
          reason: "the script asks for it",
          command: expect.stringContaining("echo hi"),
          cwd: work.path,
        },
      });
      expect(question).not.toHaveProperty("emittedAtMs");
      expect(client.messages).toContainEqual(
        expect.objectContaining({
          params: { threadId, status: { type: "active", activeFlags: ["waitingOnApproval"] } },
        }),
      );
      answer(client, question["id"], "decline");
      await turnCompleted(client, turnId);
    });

    test.each([
      ["accept", "completed", "The tool said: hi"],
      ["decline", "completed", expect.stringContaining("rejected by user")],
    ])("that are answered with %s let the turn go on", async (decision, status, text) => {
      await using client = await openInitialized();
      const { threadId, turnId, question } = await askFor(client);
      answer(client, question["id"], decision);
      const resolved = await client.nextOf("serverRequest/resolved");
      expect(resolved["params"]).toEqual({ threadId, requestId: question["id"] });
      expect(await turnCompleted(client, turnId)).toMatchObject({
        turn: { status, items: [{ text }] },
      });
    });

    test("that are cancelled interrupt the turn", async () => {
      await using client = await openInitialized();
      const { turnId, question } = await askFor(client);
      answer(client, question["id"], "cancel");
      expect(await turnCompleted(client, turnId)).toMatchObject({
        turn: { status: "interrupted" },
      });
    });

    test("are deaf to an answer under a string id, and to a second one", async () => {
      await using client = await openInitialized();
      const { turnId, question } = await askFor(client);
      expect(question["id"]).toBe(0);
      answer(client, "0", "accept");
      await client.request("thread/loaded/list");
      expect(client.messages.map(({ method }) => method)).not.toContain("serverRequest/resolved");
      answer(client, question["id"], "decline");
      answer(client, question["id"], "accept");
      expect(await turnCompleted(client, turnId)).toMatchObject({
        turn: { items: [{ text: expect.stringContaining("rejected by user") }] },
      });
    });

    test("are resolved by an interrupt", async () => {
      await using client = await openInitialized();
      const { threadId, turnId, question } = await askFor(client);
      await client.request("turn/interrupt", { threadId, turnId });
      const resolved = await client.nextOf("serverRequest/resolved");
      expect(resolved["params"]).toEqual({ threadId, requestId: question["id"] });
      expect(await turnCompleted(client, turnId)).toMatchObject({
        turn: { status: "interrupted" },
      });
    });
  });

  describe("the end", () => {
    test.each([
      ["end of input", "idle", (client: StdioClient) => client.endInput()],
      ["end of input", "in a turn", (client: StdioClient) => client.endInput()],
      ["SIGTERM", "idle", (client: StdioClient) => client.kill("SIGTERM")],
      ["SIGTERM", "in a turn", (client: StdioClient) => client.kill("SIGTERM")],
    ])("by %s, %s, is quick and good", async (_how, when, end) => {
      await using client = await openInitialized();
      const threadId = await startThread(client);
      if (when !== "idle") await promptTaken(client, await startTurn(client, threadId, "silence"));
      end(client);
      expect(await client.ended()).toEqual({ code: 0, signal: null });
      expect(client.messages.map(({ method }) => method)).not.toContain("turn/completed");
    });

    test("by SIGKILL in a turn leaves a thread that another process resumes", async () => {
      await using first = await openInitialized();
      const threadId = await startThread(first);
      await completeTurn(first, threadId, "say: one");
      const turnId = await startTurn(first, threadId, "slow: 200x20ms two");
      await first.nextOf("item/agentMessage/delta", (params) => at(params, "turnId") === turnId);
      first.kill("SIGKILL");
      expect(await first.ended()).toEqual({ code: null, signal: "SIGKILL" });

      await using second = await openInitialized();
      expect(await second.request("thread/loaded/list")).toEqual({ data: [], nextCursor: null });
      const seen = await second.request("thread/read", { threadId });
      expect(at(seen, "thread.status")).toEqual({ type: "notLoaded" });
      const input = [{ type: "text", text: "say: three" }];
      const error = await refusal(second, "turn/start", { threadId, input });
      expect(at(error, "message")).toBe(`thread not found: ${threadId}`);

      const resumed = await second.request("thread/resume", { threadId });
      expect(listAt(resumed, "thread.turns").map((turn) => at(turn, "status"))).toEqual([
        "completed",
        "interrupted",
      ]);
      await completeTurn(second, threadId, "say: three");
      const { data } = (await second.request("thread/turns/list", { threadId })) as JsonObject;
      expect(listAt({ data: data ?? null }, "data")).toMatchObject([
        { status: "completed" },
        { status: "interrupted", id: turnId },
        { status: "completed" },
      ]);
    });

    test("of a process loses a thread without a turn", async () => {
      await using first = await openInitialized();
      const threadId = await startThread(first);
      await first.close();
      await using second = await openInitialized();
      expect(await refusal(second, "thread/resume", { threadId })).toEqual({
        code: -32600,
        message: `no rollout found for thread id ${threadId}`,
      });
    });
  });

  test("a thread has one writer and any number of readers", async () => {
    await using writer = await openInitialized();
    const threadId = await startThread(writer);
    await completeTurn(writer, threadId, "say: one");
    await using reader = await openInitialized();
    expect(await refusal(reader, "thread/resume", { threadId })).toEqual({
      code: -32600,
      message: `thread ${threadId} already has an active writer`,
    });
    const turns = await reader.request("thread/turns/list", { threadId });
    expect(listAt(turns, "data")).toHaveLength(1);
    await writer.close();
    expect(at(await reader.request("thread/resume", { threadId }), "thread.id")).toBe(threadId);
  });
});

async function startTurn(client: StdioClient, threadId: string, prompt: string): Promise<string> {
  const input = [{ type: "text", text: prompt }];
  return textAt(await client.request("turn/start", { threadId, input }), "turn.id");
}

async function turnCompleted(client: StdioClient, turnId: string): Promise<Json | undefined> {
  const done = await client.nextOf("turn/completed", (params) => at(params, "turn.id") === turnId);
  return done["params"];
}

/** Waits until the prompt has become part of the turn: from then on, the model is asked. */
async function promptTaken(client: StdioClient, turnId: string): Promise<void> {
  await client.nextOf("item/completed", (params) => at(params, "turnId") === turnId);
}

async function completeTurn(client: StdioClient, threadId: string, prompt: string): Promise<void> {
  const done = await turnCompleted(client, await startTurn(client, threadId, prompt));
  expect(done).toMatchObject({ turn: { status: "completed" } });
}

/** A message in a few words. */
function chapter(message: JsonObject): string {
  const { method, params } = message;
  if (typeof method !== "string") return "answer";
  const detail = ["status.type", "turn.status", "item.type"].map((path) => at(params, path));
  return [method, ...detail.filter((one) => typeof one === "string")].join(" ");
}

function threadOf(message: JsonObject): Json | undefined {
  return (
    at(message, "result.thread.id") ??
    at(message, "params.thread.id") ??
    at(message, "params.threadId")
  );
}
