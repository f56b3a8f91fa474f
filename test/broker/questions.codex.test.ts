import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { mcpServerTable } from "../support/mcp-server.ts";
import { makeWorld, type World } from "../support/world.ts";
import { RawSession } from "./raw-session.ts";

guardAgainstLeaks();

const patch = "*** Begin Patch\n*** Add File: new.txt\n+hello\n*** End Patch";
const choice = { id: "q", header: "Pick", question: "Which?", options: [] };
const options = ["One", "Two"].map((label) => ({ label, description: label }));
const form = { message: "Who?", requestedSchema: { type: "object", properties: {} } };

/** What makes the real codex ask, and what the model is told when nobody has said yes. */
const KINDS: ReadonlyArray<readonly [method: string, prompt: string, told: RegExp]> = [
  ["item/commandExecution/requestApproval", "shell-ask: echo no", /rejected by user/],
  [
    "item/fileChange/requestApproval",
    `shell: apply_patch <<'EOT'\n${patch}\nEOT`,
    /rejected by user/,
  ],
  [
    "item/permissions/requestApproval",
    `tool: request_permissions ${JSON.stringify({ permissions: { network: { enabled: true } } })}`,
    /"network":null/,
  ],
  [
    "item/tool/requestUserInput",
    `tool: request_user_input ${JSON.stringify({ questions: [{ ...choice, options }] })}`,
    /"answers":\{\}/,
  ],
  ["mcpServer/elicitation/request", 'tool: note {"text":"x"}', /user rejected MCP tool call/],
  ["mcpServer/elicitation/request", `tool: ask ${JSON.stringify({ form })}`, /"action":"decline"/],
];

describe("a question that nobody can answer is declined in a shape that the real codex takes", () => {
  let world: World;
  let endpoint: string;

  beforeAll(async () => {
    const config = {
      approvalPolicy: "on-request",
      sandboxMode: "workspace-write",
      features: ["default_mode_request_user_input", "request_permissions_tool"],
      tables: mcpServerTable("notes"),
    } as const;
    world = await makeWorld({ config });
    const client = await world.connect();
    endpoint = client.record.current ?? client.record.endpoint;
    client.close();
  });
  afterAll(async () => {
    await world[Symbol.asyncDispose]();
  });

  async function started(session: RawSession, prompt: string): Promise<string> {
    const approvalPolicy = prompt.includes("apply_patch") ? "untrusted" : "on-request";
    const answer = await session.ask("thread/start", { cwd: world.workspace, approvalPolicy });
    const threadId = (answer.result?.["thread"] as { id: string } | undefined)?.id ?? "";
    const input = [{ type: "text", text: prompt, text_elements: [] }];
    await session.ask("turn/start", { threadId, input });
    return threadId;
  }

  test.each(KINDS)("F65: %s", async (method, prompt, told) => {
    await using session = await RawSession.initialized(endpoint);
    await started(session, prompt);
    const { id } = await session.nextOf(method);
    session.send({ id, error: { code: -32601, message: "Method not found" } });
    const done = await session.nextOf("turn/completed");
    expect(done.params?.["turn"]).toMatchObject({ status: "completed", error: null });
    expect(JSON.stringify(world.model.requests.recent.at(-1)?.body).replaceAll("\\", "")).toMatch(
      told,
    );
  });

  test.each([
    ["a result and a null error", { result: { decision: "accept" }, error: null }],
    [
      "every member of a message",
      { jsonrpc: "2.0", method: null, params: null, result: { decision: "accept" }, error: null },
    ],
  ])("an approval is given by a response that has %s (F107)", async (_what, response) => {
    await using session = await RawSession.initialized(endpoint);
    const { length } = session.messages;
    await started(session, "shell-ask: echo yes");
    const { id } = await session.nextOf("item/commandExecution/requestApproval");
    session.send({ id, ...response });
    await session.nextOf("turn/completed");
    expect(session.messages.slice(length).filter((message) => "error" in message)).toEqual([]);
    const items = session.messages.flatMap(({ method, params }) =>
      method === "item/completed" ? params?.["item"] : [],
    );
    expect(items).toContainEqual(
      expect.objectContaining({ type: "commandExecution", status: "completed", exitCode: 0 }),
    );
  });

  test("an error with a null result leaves the question to others (F107)", async () => {
    await using session = await RawSession.initialized(endpoint);
    await started(session, "shell-ask: echo no");
    const { id } = await session.nextOf("item/commandExecution/requestApproval");
    session.send({
      id,
      result: null,
      error: { code: -32601, message: "Method not found", data: null },
    });
    await session.nextOf("turn/completed");
    expect(JSON.stringify(world.model.requests.recent.at(-1)?.body)).toContain("rejected by user");
  });

  test("F65: an approval comes back to an owner that was cut off, while another one kept its turn", async () => {
    const owner = await RawSession.initialized(endpoint);
    await using joined = await RawSession.initialized(endpoint);
    const threadId = await started(owner, "shell-ask: echo yes");
    await owner.nextOf("item/commandExecution/requestApproval");
    await joined.ask("thread/resume", { threadId, excludeTurns: true });
    await owner[Symbol.asyncDispose]();
    await using back = await RawSession.initialized(endpoint);
    await back.ask("thread/resume", { threadId, excludeTurns: true });
    const { id } = await back.nextOf("item/commandExecution/requestApproval");
    back.send({ id, result: { decision: "accept" } });
    for (const session of [back, joined]) {
      const done = await session.nextOf("turn/completed");
      expect(done.params?.["turn"]).toMatchObject({ status: "completed" });
    }
  });
});
