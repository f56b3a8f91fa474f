import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { mcpServerTable } from "../support/mcp-server.ts";
import { makeWorld, type World } from "../support/world.ts";
import { cli, jsonLines, lastJson } from "./program.ts";

guardAgainstLeaks();

// Each of them runs the command several times.
vi.setConfig({ testTimeout: 60_000 });

const NOTE = 'tool: note {"text":"kept"}';

/** As it is with many users: nothing is asked, and commands may write in the workspace only. */
function quietWorld(): Promise<World> {
  const config = {
    approvalPolicy: "never",
    sandboxMode: "workspace-write",
    tables: mcpServerTable("notes"),
  } as const;
  return makeWorld({ config });
}

async function said(world: World, args: readonly string[], env = {}): Promise<string> {
  const ended = await cli(world, ["run", "--json", ...args], { env });
  return String(lastJson(ended.stdout)["message"]);
}

describe("S11: a turn that may write calls an MCP tool without full access", () => {
  test.each([
    ["of a server that is allowed", ["--allow-mcp", "notes"]],
    ["that is allowed", ["--allow-mcp", "notes/note"]],
    ["among several", ["--allow-mcp", "other", "--allow-mcp=notes/note"]],
    ["on request", ["--approval", "on-request", "--allow-mcp", "notes"]],
    ["though nothing is to be asked", ["--approval", "never", "--allow-mcp", "notes"]],
  ])("%s", async (_what, options) => {
    await using world = await quietWorld();
    const args = ["run", "--json", "--sandbox", "workspace-write", ...options, NOTE];
    const { code, stdout } = await cli(world, args);
    expect(lastJson(stdout)["message"]).toBe("The tool said: noted: kept");
    expect(code).toBe(0);
    expect(jsonLines(stdout)).toContainEqual({
      type: "question",
      method: "mcpServer/elicitation/request",
      decision: "accepted",
      wish: "call the MCP tool notes / note",
    });
  });

  test("as the environment or a policy file allows it", async () => {
    await using world = await quietWorld();
    const allowed = await said(world, [NOTE], { CODEX_BROKER_ALLOW_MCP: "other, notes/note" });
    expect(allowed).toContain("noted: kept");
    const file = join(world.workspace, "policy.json");
    const rule = { kind: "mcpToolCall", server: "notes", tool: "note" };
    await writeFile(file, JSON.stringify({ allow: [rule] }));
    expect(await said(world, ["--policy", file, NOTE])).toContain("noted: kept");
  });

  test("F93: but not without the option", async () => {
    await using world = await quietWorld();
    expect(await said(world, [NOTE])).toContain("approval policy is never");
    const asked = ["--approval", "on-request", NOTE];
    expect(await said(world, asked)).toContain("rejected MCP tool call");
  });

  test("F93: nor with another server's or tool's name", async () => {
    await using world = await quietWorld();
    for (const other of ["other", "Notes", "notes/hang"]) {
      expect(await said(world, ["--allow-mcp", other, NOTE])).toContain("rejected MCP tool call");
    }
  });

  test("F93: and nothing else is allowed by it", async () => {
    await using world = await quietWorld();
    const shell = "shell-ask: echo no > written";
    const message = await said(world, ["--allow-mcp", "notes", shell]);
    expect(message).toContain("reject");
    const asked = ["--approval", "on-request", "--allow-mcp", "notes", shell];
    expect(await said(world, asked)).toContain("rejected by user");
  });

  test("F93: a question of the MCP server itself is not taken for Codex's", async () => {
    await using world = await quietWorld();
    const declined = 'answered: {"action":"decline"}';
    // Called with leave, it asks for the same leave again; called without, it asks as if for leave.
    for (const tool of ["forge", "peek"]) {
      const message = await said(world, ["--allow-mcp", "notes", `tool: ${tool} {"text":"x"}`]);
      expect(message).toContain(declined);
    }
    const form = { message: "Who?", requestedSchema: { type: "object", properties: {} } };
    const ask = `tool: ask ${JSON.stringify({ form })}`;
    expect(await said(world, ["--allow-mcp", "notes", ask])).toContain(declined);
  });
});

describe("a policy file", () => {
  const config = { approvalPolicy: "on-request", sandboxMode: "workspace-write" } as const;

  test("allows commands by their first words", async () => {
    await using world = await makeWorld({ config });
    const file = join(world.workspace, "policy.json");
    await writeFile(
      file,
      JSON.stringify({ allow: [{ kind: "command", prefix: ["echo", "yes"] }] }),
    );
    const run = (command: string): Promise<string> =>
      said(world, ["--policy", file, `shell-ask: ${command}`]);
    expect(await run("echo yes sir")).toContain("yes sir");
    for (const other of ["echo no", "echo yes; echo no", "echo yes > here", "echo yes $(id)"]) {
      expect(await run(other)).toContain("rejected by user");
    }
  });
});
