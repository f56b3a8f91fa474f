import { describe, expect, test } from "vitest";
import type { v2 } from "../../../src/app-server/generated/index.ts";
import { serverRequests } from "../../../src/app-server/generated/methods.ts";
import { cardOf, type Card } from "../../../src/cli/ask/card.ts";

const COMMAND = "item/commandExecution/requestApproval";
const FILES = "item/fileChange/requestApproval";
const ELICITATION = "mcpServer/elicitation/request";

function card(method: string, params: object, item?: object): Card {
  const shown = cardOf(method, params, item as v2.ThreadItem | undefined);
  if (shown === undefined) throw new Error("there is no card");
  return shown;
}

const text = ({ claims, summary }: Card): string =>
  [
    ...claims.map((claim) => `${claim.label}: ${claim.text}`),
    ...summary.map((line) => line.text),
  ].join("\n");
const answers = ({ choices }: Card): unknown =>
  Object.fromEntries(choices.map(({ key, answer }) => [key, answer]));

describe("what a person is shown", () => {
  test("of a command: itself without the system's shell, where, why, and what goes with it", () => {
    const params = {
      command: "/bin/bash -lc 'npm test'",
      cwd: "/work",
      reason: "to see",
      networkApprovalContext: { host: "example.org" },
      additionalPermissions: { network: { enabled: true } },
    };
    expect(text(card(COMMAND, params))).toBe(
      [
        "the model's reason: to see",
        "npm test",
        "in /work",
        'over the network {"host":"example.org"}',
        'with {"network":{"enabled":true}}',
      ].join("\n"),
    );
  });

  test("F93: of a command for a shell of somebody else's: all of it", () => {
    const command = "/srv/project/bin/bash -lc 'npm test'";
    expect(text(card(COMMAND, { command }))).toBe(command);
  });

  test("of input for a running program: the input, and the program that gets it (F179)", () => {
    const params = { kind: "writeStdin", command: "y", cwd: "/work" };
    const item = { type: "commandExecution", command: "/bin/sh -c 'npm init'", processId: "7" };
    expect(card(COMMAND, params, item).heading).toBe("Codex wants to type into a running program");
    expect(text(card(COMMAND, params, item))).toBe(
      "y\ninto: npm init (process 7 of Codex)\nin /work",
    );
    expect(text(card(COMMAND, params))).toContain("into a program that Codex did not name");
  });

  test("of a command in another environment: its name", () => {
    const params = { command: "ls", environmentId: "remote-1" };
    expect(text(card(COMMAND, params))).toBe("ls\nin the environment remote-1");
    expect(text(card(COMMAND, { ...params, environmentId: "local" }))).toBe("ls");
  });

  test("of changes of files: each line, and how it changes", () => {
    const changes = [
      { path: "a", kind: { type: "add" }, diff: "one\n" },
      { path: "b", kind: { type: "delete" }, diff: "two\n" },
      { path: "c", kind: { type: "update", move_path: "d" }, diff: "@@ -1 +1 @@\n-x\n+y\n z\n" },
    ];
    const shown = card(FILES, { grantRoot: "/root" }, { type: "fileChange", changes });
    expect(text(shown)).toBe(
      "add a, delete b, update c to d\nand to write under /root from then on",
    );
    expect(shown.details).toEqual([
      { text: "add a" },
      { text: "+one", look: "added" },
      { text: "delete b" },
      { text: "-two", look: "removed" },
      { text: "update c to d" },
      { text: "@@ -1 +1 @@", look: "aside" },
      { text: "-x", look: "removed" },
      { text: "+y", look: "added" },
      { text: " z" },
    ]);
    expect(text(card(FILES, {}))).toBe("files that Codex did not name");
  });

  test("S11: of a tool call: only what Codex has announced", () => {
    const _meta = { codex_approval_kind: "mcp_tool_call", persist: ["session"], tool_name: "x" };
    const params = { serverName: "notes", mode: "form", _meta };
    const item = { type: "mcpToolCall", server: "notes", tool: "note", arguments: { a: 1 } };
    const shown = card(ELICITATION, params, item);
    expect(text(shown)).toBe("notes / note");
    expect(shown.details.map((line) => line.text)).toEqual(["{", '  "a": 1', "}"]);
    expect(shown.choices.map(({ key }) => key)).toEqual(["a", "s", "d", "c"]);
    expect(cardOf(ELICITATION, params, undefined)).toBeUndefined();
  });

  test("of a page: its address", () => {
    const params = { serverName: "notes", mode: "url", message: "Log in", url: "https://x.org" };
    expect(text(card(ELICITATION, params))).toBe(
      "the server's message: Log in\nhttps://x.org\nfor the MCP server notes",
    );
  });
});

describe("F65: what a person can answer has the shape that was asked for", () => {
  const session = { decision: "acceptForSession" };
  const modern = {
    a: { decision: "accept" },
    s: session,
    d: { decision: "decline" },
    c: { decision: "cancel" },
  };
  const legacy = {
    a: { decision: "approved" },
    s: { decision: "approved_for_session" },
    d: { decision: { denied: { rejection: expect.any(String) as string } } },
    c: { decision: "abort" },
  };
  test.each([
    [COMMAND, { command: "x" }, modern],
    [FILES, {}, modern],
    ["execCommandApproval", { command: ["x"] }, legacy],
    ["applyPatchApproval", { fileChanges: {} }, legacy],
    [
      "item/permissions/requestApproval",
      { permissions: { network: { enabled: true }, fileSystem: null } },
      {
        a: { permissions: { network: { enabled: true } }, scope: "turn" },
        s: { permissions: { network: { enabled: true } }, scope: "session" },
        d: { permissions: {}, scope: "turn" },
      },
    ],
    [
      ELICITATION,
      { mode: "url", url: "u" },
      {
        a: { action: "accept", content: null, _meta: null },
        d: { action: "decline", content: null, _meta: null },
        c: { action: "cancel", content: null, _meta: null },
      },
    ],
  ])("%s", (method, params, expected) => {
    expect(answers(card(method, params))).toEqual(expected);
  });

  test("and whatever is not known has none", () => {
    const shown = Object.keys(serverRequests).filter((method) => cardOf(method, {}, undefined));
    expect(shown.toSorted()).toEqual(
      [
        COMMAND,
        FILES,
        "applyPatchApproval",
        "execCommandApproval",
        "item/permissions/requestApproval",
      ].toSorted(),
    );
    expect(cardOf("item/newThing/requestApproval", {}, undefined)).toBeUndefined();
    expect(cardOf(COMMAND, null, undefined)).toBeUndefined();
  });
});
