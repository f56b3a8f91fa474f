import { realpathSync } from "node:fs";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { serverRequests } from "../../src/app-server/generated/methods.ts";
import type { v2 } from "../../src/app-server/generated/index.ts";
import {
  answerByPolicy,
  approvalPolicyThatAsks,
  type PolicyQuestion,
} from "../../src/policy/policy.ts";
import type { AllowRule, Policy } from "../../src/wire/policy.ts";

const COMMAND = "item/commandExecution/requestApproval";
const FILES = "item/fileChange/requestApproval";
const ELICITATION = "mcpServer/elicitation/request";

const allow = (...rules: AllowRule[]): Policy => ({ allow: rules });
const EVERYTHING = allow(
  { kind: "command", prefix: ["npm", "test"] },
  { kind: "fileChange" },
  { kind: "mcpToolCall", server: "notes" },
);

/** A directory that exists on every system and is no link. */
const workspace = realpathSync(import.meta.dirname);

function command(text: unknown, more: object = {}): PolicyQuestion {
  const ids = { threadId: "t", turnId: "u", itemId: "i" };
  const params = { kind: "command", ...ids, command: text, cwd: workspace };
  return { method: COMMAND, params: { ...params, ...more }, item: undefined, workspace };
}

const change = changeOf("a.ts");

function changeOf(file: string, move_path: string | null = null): v2.ThreadItem {
  const changes = [{ path: file, kind: { type: "update", move_path }, diff: "" } as const];
  return { type: "fileChange", id: "i", changes, status: "inProgress" };
}

function files(more: object = {}, item: v2.ThreadItem | undefined = change): PolicyQuestion {
  const params = { itemId: "i", reason: null, grantRoot: null, ...more };
  return { method: FILES, params, item, workspace };
}

function call(more: object = {}): v2.ThreadItem {
  const item = { type: "mcpToolCall", id: "c", server: "notes", tool: "note", arguments: {} };
  return { ...item, readOnlyHint: null, ...more } as v2.ThreadItem;
}

function toolCall(more: object = {}, item: v2.ThreadItem | undefined = call()): PolicyQuestion {
  const params = {
    serverName: "notes",
    mode: "form",
    message: "Allow it?",
    requestedSchema: { type: "object", properties: {} },
    _meta: { codex_approval_kind: "mcp_tool_call", tool_name: "note", tool_params: {} },
  };
  return { method: ELICITATION, params: { ...params, ...more }, item, workspace };
}

describe("F93: a policy allows exactly what it names", () => {
  test("a command by the words that it begins with", async () => {
    const policy = allow({ kind: "command", prefix: ["npm", "test"] });
    const asked = (text: string): Promise<unknown> => answerByPolicy(policy, command(text));
    expect(await asked("/bin/bash -lc 'npm test --silent'")).toEqual({ decision: "accept" });
    expect(await asked("npm test")).toEqual({ decision: "accept" });
    for (const other of ["npm", "npm run test", "npm tests", "xnpm test", "npm 'test x'"]) {
      expect(await asked(other)).toBeUndefined();
    }
  });

  test("no command that is more than words, whatever it begins with", async () => {
    for (const more of ["; x", "&& x", "| x", "$(x)", "`x`", "> x", "< x", "\nx", "& x", "\\"]) {
      for (const text of [`npm test ${more}`, `/bin/bash -lc 'npm test ${more}'`]) {
        expect(await answerByPolicy(EVERYTHING, command(text))).toBeUndefined();
      }
    }
  });

  test.each([
    ["input for a running program", { kind: "writeStdin" }],
    ["network access", { networkApprovalContext: { host: "x", protocol: "https" } }],
    ["further permissions", { additionalPermissions: { network: { enabled: true } } }],
    ["a question that offers no plain yes", { availableDecisions: ["cancel"] }],
    ["no command", { command: null }],
    ["a command that is no text", { command: ["npm"] }],
  ])("%s is not a command", async (_what, more) => {
    expect(await answerByPolicy(EVERYTHING, command("npm test", more))).toBeUndefined();
  });

  test.each<[string, AllowRule]>([
    ["without words", { kind: "command", prefix: [] }],
    ["with a misspelt member", { kind: "mcpToolCall", server: "notes", tol: "x" } as AllowRule],
  ])("a rule %s is refused, instead of one that allows more", async (_what, rule) => {
    for (const question of [command("npm test"), files(), toolCall()]) {
      await expect(answerByPolicy(allow(rule), question)).rejects.toThrow(
        /policy cannot be used: allow\.0/,
      );
    }
  });

  test("a rule of one kind allows nothing of another kind", async () => {
    const rules: AllowRule[] = [
      { kind: "command", prefix: ["npm", "test"] },
      { kind: "fileChange" },
      { kind: "mcpToolCall", server: "notes" },
    ];
    const questions = [command("npm test"), files(), toolCall()];
    for (const [at, rule] of rules.entries()) {
      const answers = await Promise.all(questions.map((each) => answerByPolicy(allow(rule), each)));
      const allowed = answers.map((answer) => answer !== undefined);
      expect(allowed).toEqual(questions.map((_each, index) => index === at));
    }
  });

  test("changes of files, but no root to write under", async () => {
    expect(await answerByPolicy(EVERYTHING, files())).toEqual({ decision: "accept" });
    expect(await answerByPolicy(EVERYTHING, files({ grantRoot: "/" }))).toBeUndefined();
    expect(await answerByPolicy(EVERYTHING, { ...files(), item: undefined })).toBeUndefined();
    expect(await answerByPolicy(EVERYTHING, files({}, call()))).toBeUndefined();
  });
});

describe("S11: the approval of a tool call", () => {
  const accepted = { action: "accept", content: null, _meta: null };

  test("is accepted for the server, and for the tool if one is named", async () => {
    expect(await answerByPolicy(EVERYTHING, toolCall())).toEqual(accepted);
    const named = (tool: string): Policy => allow({ kind: "mcpToolCall", server: "notes", tool });
    expect(await answerByPolicy(named("note"), toolCall())).toEqual(accepted);
    expect(await answerByPolicy(named("hang"), toolCall())).toBeUndefined();
    const other = allow({ kind: "mcpToolCall", server: "other" });
    expect(await answerByPolicy(other, toolCall())).toBeUndefined();
  });

  const meta = { codex_approval_kind: "mcp_tool_call", tool_name: "note", tool_params: {} };
  test.each<[string, object, v2.ThreadItem | undefined]>([
    ["is not marked as one", { _meta: { ...meta, codex_approval_kind: "other" } }, call()],
    ["has no mark at all", { _meta: null }, call()],
    ["is of a call that Codex has not announced", {}, undefined],
    ["is of another server's call", {}, call({ server: "other" })],
    ["says that it is of another server", { serverName: "other" }, call()],
    ["names another tool than Codex", { _meta: { ...meta, tool_name: "hang" } }, call()],
    ["is of another tool than it says", {}, call({ tool: "hang" })],
    ["is about a tool that Codex does not ask about", {}, call({ readOnlyHint: true })],
    ["asks for data", { requestedSchema: { properties: { name: {} } } }, call()],
    ["has no form", { requestedSchema: null }, call()],
    ["is a form that is not known", { mode: "openai/form" }, call()],
    ["sends to a page", { mode: "url" }, call()],
    ["is about something else", {}, change],
  ])("is none if it %s", async (_why, more, item) => {
    expect(await answerByPolicy(EVERYTHING, { ...toolCall(more), item })).toBeUndefined();
  });
});

test("F65 F93: nothing else is ever accepted, and an empty policy accepts nothing", async () => {
  const allowable = new Set([COMMAND, FILES, ELICITATION]);
  for (const method of [...Object.keys(serverRequests), "item/newThing/requestApproval"]) {
    if (allowable.has(method)) continue;
    for (const { params, item } of [command("npm test"), files(), toolCall()]) {
      expect(await answerByPolicy(EVERYTHING, { method, params, item, workspace })).toBeUndefined();
    }
  }
  for (const question of [command("npm test"), files(), toolCall()]) {
    expect(await answerByPolicy(allow(), question)).toBeUndefined();
  }
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...allowable), fc.anything(), async (method, params) => {
      expect(
        await answerByPolicy(EVERYTHING, { method, params, item: undefined, workspace }),
      ).toBeUndefined();
    }),
  );
});

describe("S11: the approval policy under which Codex asks about tools", () => {
  const tools = allow({ kind: "mcpToolCall", server: "notes" });
  const workspaceWrite = { type: "workspaceWrite" } as v2.SandboxPolicy;
  const under = (approvalPolicy: v2.AskForApproval, sandbox = workspaceWrite): unknown =>
    approvalPolicyThatAsks(tools, { approvalPolicy, sandbox });

  test("asks about nothing else where Codex asked about nothing", () => {
    const granular = {
      sandbox_approval: false,
      rules: false,
      skill_approval: false,
      request_permissions: false,
      mcp_elicitations: true,
    };
    expect(under("never")).toEqual({ granular });
    expect(under({ granular: { ...granular, mcp_elicitations: false } })).toEqual({ granular });
    expect(under({ granular })).toBeUndefined();
  });

  test("keeps what the thread is asked about besides", () => {
    const asked = { sandbox_approval: true, rules: false, skill_approval: true };
    const granular = { ...asked, request_permissions: true, mcp_elicitations: false };
    expect(under({ granular })).toEqual({ granular: { ...granular, mcp_elicitations: true } });
  });

  test("is left alone where it asks anyway, where nothing needs leave, and without such a rule", () => {
    expect(under("on-request")).toBeUndefined();
    expect(under("untrusted")).toBeUndefined();
    expect(under("never", { type: "dangerFullAccess" })).toBeUndefined();
    const thread = { approvalPolicy: "never", sandbox: workspaceWrite } as const;
    expect(approvalPolicyThatAsks(allow({ kind: "fileChange" }), thread)).toBeUndefined();
  });
});
