import { describe, expect, test } from "vitest";
import { BrokerError } from "../../src/base/errors.ts";
import { checkPolicy, faultOfPolicy } from "../../src/policy/policy-schema.ts";
import { connectBroker } from "../../src/index.ts";
import type { Policy } from "../../src/wire/policy.ts";

const RULES = [
  { kind: "command", prefix: ["npm", "test"] },
  { kind: "command", command: ["npm", "test"], cwd: "packages/a" },
  { kind: "fileChange" },
  { kind: "fileChange", under: "src" },
  { kind: "mcpToolCall", server: "notes" },
  { kind: "mcpToolCall", server: "notes", tool: "note" },
] as const;

describe("a policy", () => {
  test("with every kind of rule has no fault", () => {
    expect(faultOfPolicy({ allow: RULES })).toBeUndefined();
    expect(() => checkPolicy({ allow: RULES })).not.toThrow();
    expect(() => checkPolicy(undefined)).not.toThrow();
  });

  test.each(RULES)("with an unknown member in the rule %j is refused by its name", (rule) => {
    const allow = [{ ...rule, tol: "x" }];
    expect(faultOfPolicy({ allow })).toMatch(/^allow\.0\.tol: /);
  });

  test("with an unknown member beside its rules is refused by its name", () => {
    expect(faultOfPolicy({ allow: [], alow: [] })).toMatch(/^alow: /);
  });

  test.each([
    ["a command without words", { kind: "command", prefix: [] }, /prefix: must name at least/],
    ["a command with an empty word", { kind: "command", prefix: ["npm", ""] }, /prefix\.1: must/],
    [
      "a command of one word with a space (F169)",
      { kind: "command", command: ["npm test"] },
      /one word/,
    ],
    [
      "a word that no command can match (F169)",
      { kind: "command", command: ["ls", "*"] },
      /special/,
    ],
    ["an assignment (F169)", { kind: "command", command: ["A=b", "make"] }, /does not read "A=b"/],
    ["a keyword (F169)", { kind: "command", prefix: ["time", "npm"] }, /does not read "time"/],
    ["neither words nor a prefix", { kind: "command" }, /either/],
    ["both words and a prefix", { kind: "command", command: ["a"], prefix: ["a"] }, /either/],
    ["a prefix of a wrapper (F169)", { kind: "command", prefix: ["env"] }, /every program/],
    ["a wrapper's option (F169)", { kind: "command", prefix: ["sudo", "-n"] }, /every program/],
    ["a wrapper's setting (F169)", { kind: "command", prefix: ["env", "A=b"] }, /every program/],
    [
      "an interpreter alone (F169)",
      { kind: "command", prefix: ["/usr/bin/node"] },
      /every program/,
    ],
    ["git alone (F169)", { kind: "command", prefix: ["git"] }, /every program/],
    ["git's options (F169)", { kind: "command", prefix: ["git", "-c"] }, /every program/],
    ["xargs (F169)", { kind: "command", prefix: ["xargs"] }, /every program/],
    ["a shell of Windows (F169)", { kind: "command", prefix: ["cmd.exe"] }, /every program/],
    ["a server without a name", { kind: "mcpToolCall", server: "" }, /server: must not be empty/],
    ["a tool without a name", { kind: "mcpToolCall", server: "notes", tool: "" }, /tool: must/],
    ["a tool that is undefined", { kind: "mcpToolCall", server: "n", tool: undefined }, /tool: /],
    ["a kind that cannot be allowed", { kind: "permissions" }, /kind: /],
  ])("with %s is refused", (_what, rule, fault) => {
    expect(faultOfPolicy({ allow: [rule] })).toMatch(fault);
  });

  test("with a misspelt member is refused before a connection is made, whatever the caller's language", async () => {
    const allow: unknown[] = [{ kind: "mcpToolCall", server: "notes", tol: "x" }];
    const policy = { allow } as unknown as Policy;
    const refused = await connectBroker({ cwd: "/nowhere", policy }).catch(
      (error: unknown) => error,
    );
    expect(BrokerError.is(refused) && refused.kind).toBe("usage");
    expect(String(refused)).toContain("allow.0.tol");
  });
});
