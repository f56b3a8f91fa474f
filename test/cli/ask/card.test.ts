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

const text = ({ lines }: Card): string => lines.map((line) => line.text).join("\n");
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
        "npm test",
        "in /work",
        "because: to see",
        'over the network {"host":"example.org"}',
        'with {"network":{"enabled":true}}',
      ].join("\n"),
    );
  });

  test("F93: of a command for a shell of somebody else's: all of it", () => {
    const command = "/srv/project/bin/bash -lc 'npm test'";
    expect(text(card(COMMAND, { command }))).toBe(command);
  });

  test("of input for a running program: that it is that", () => {
    const heading = "Codex wants to type into a running program";
    expect(card(COMMAND, { kind: "writeStdin", command: "y" }).heading).toBe(heading);
  });

  test("of changes of files: each line, and how it changes", () => {
    const changes = [
      { path: "a", kind: { type: "add" }, diff: "one\n" },
      { path: "b", kind: { type: "delete" }, diff: "two\n" },
      { path: "c", kind: { type: "update", move_path: "d" }, diff: "@@ -1 +1 @@\n-x\n+y\n z\n" },
    ];
    const shown = card(FILES, { grantRoot: "/root" }, { type: "fileChange", changes });
    expect(shown.lines).toEqual([
      { text: "and to write under /root from then on", look: "aside" },
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
    expect(text(card(FILES, {}))).toBe("what it would change was not told");
  });

  test("S11: of a tool call: only what Codex has announced", () => {
    const _meta = { codex_approval_kind: "mcp_tool_call", persist: ["session"], tool_name: "x" };
    const params = { serverName: "notes", mode: "form", _meta };
    const item = { type: "mcpToolCall", server: "notes", tool: "note", arguments: { a: 1 } };
    const shown = card(ELICITATION, params, item);
    expect(text(shown)).toBe('notes / note\n{\n  "a": 1\n}');
    expect(shown.choices.map(({ key }) => key)).toEqual(["a", "s", "d", "c"]);
    expect(cardOf(ELICITATION, params, undefined)).toBeUndefined();
  });

  test("of a page: its address", () => {
    const params = { serverName: "notes", mode: "url", message: "Log in", url: "https://x.org" };
    expect(text(card(ELICITATION, params))).toBe("notes\nLog in\nhttps://x.org");
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
