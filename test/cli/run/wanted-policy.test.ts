import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { runOptions } from "../../../src/cli/commands.ts";
import { Given } from "../../../src/cli/line/given.ts";
import { wantedPolicy } from "../../../src/cli/run/wanted-policy.ts";
import type { Policy } from "../../../src/wire/policy.ts";
import { makeTempDir } from "../../support/temp-dir.ts";

function wanted(options: Record<string, string | string[]>, env = {}): Policy | undefined {
  return wantedPolicy(new Given<typeof runOptions>("run", { options, operands: [] }), env);
}

async function withFile(text: string): Promise<Policy | undefined> {
  await using dir = await makeTempDir();
  const file = join(dir.path, "policy.json");
  writeFileSync(file, text);
  return wanted({ policy: file });
}

describe("what is allowed beforehand", () => {
  test("is nothing unless something was said", () => {
    expect(wanted({})).toBeUndefined();
    expect(wanted({}, { CODEX_BROKER_ALLOW_MCP: " , " })).toBeUndefined();
  });

  test("comes from the options and the environment together", () => {
    const policy = wanted({ "allow-mcp": ["a", "b/c"] }, { CODEX_BROKER_ALLOW_MCP: "d, e/f/g" });
    expect(policy?.allow).toEqual([
      { kind: "mcpToolCall", server: "a" },
      { kind: "mcpToolCall", server: "b", tool: "c" },
      { kind: "mcpToolCall", server: "d" },
      { kind: "mcpToolCall", server: "e", tool: "f/g" },
    ]);
  });

  test.each(["/", "/tool", "server/"])("%j names no server or no tool", (value) => {
    expect(() => wanted({ "allow-mcp": [value] })).toThrow(/SERVER or SERVER\/TOOL/);
    expect(() => wanted({}, { CODEX_BROKER_ALLOW_MCP: value })).toThrow(/CODEX_BROKER_ALLOW_MCP/);
  });

  test("comes from a file", async () => {
    const allow = [
      { kind: "command", prefix: ["npm", "test"] },
      { kind: "fileChange" },
      { kind: "mcpToolCall", server: "notes" },
      { kind: "mcpToolCall", server: "notes", tool: "note" },
    ];
    expect(await withFile(JSON.stringify({ allow }))).toEqual({ allow });
  });

  test("comes from a file that begins with a byte-order mark (F181)", async () => {
    expect(await withFile('\ufeff{"allow":[{"kind":"fileChange"}]}')).toEqual({
      allow: [{ kind: "fileChange" }],
    });
  });

  test.each([
    ["no JSON", "{", /not JSON/],
    ["a list", "[]", /allow: /],
    ["a text", '"x"', /the whole: Invalid type/],
    ["no rules", "{}", /allow: /],
    ["another member", '{"allow":[],"deny":[]}', /deny: /],
    ["a rule of no kind", '{"allow":[{}]}', /allow\.0\.kind: /],
    ["a kind that cannot be allowed", '{"allow":[{"kind":"permissions"}]}', /allow\.0\.kind: /],
    ["a misspelt member", '{"allow":[{"kind":"fileChange","path":"/"}]}', /allow\.0\.path: /],
    ["a command without words", '{"allow":[{"kind":"command","prefix":[]}]}', /prefix: must name/],
    ["a command as one text", '{"allow":[{"kind":"command","prefix":"npm"}]}', /prefix: Invalid/],
    ["an empty word", '{"allow":[{"kind":"command","prefix":[""]}]}', /prefix\.0: must not/],
    ["a tool without its server", '{"allow":[{"kind":"mcpToolCall","tool":"x"}]}', /server: /],
  ])("F93: a file with %s is refused, and says where", async (_what, text, why) => {
    await expect(withFile(text)).rejects.toThrow(why);
  });

  test("a file that is not there is a usage error", () => {
    expect(() => wanted({ policy: "/nowhere/policy.json" })).toThrow(/policy cannot be read/);
  });
});
