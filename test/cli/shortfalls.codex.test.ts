import { expect, test } from "vitest";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { mcpServerTable } from "../support/mcp-server.ts";
import { makeWorld } from "../support/world.ts";
import { cli, lastJson } from "./program.ts";

guardAgainstLeaks();

const ASKING = "shell-ask: touch forbidden ;; say: done";
const declined = {
  method: "item/commandExecution/requestApproval",
  wish: "run touch forbidden",
  allowedBy: "a `command` rule in `--policy FILE`",
};

test(
  "the result of a turn says what was declined, and what would have allowed it (F143)",
  { timeout: 120_000 },
  async () => {
    await using world = await makeWorld({
      config: { approvalPolicy: "on-request", sandboxMode: "workspace-write" },
    });
    const run = await cli(world, ["run", "-q", ASKING]);
    expect(run).toMatchObject({ code: 0, stdout: "done\n" });
    expect(run.stderr).toContain("nobody to ask: run touch forbidden");
    const json = lastJson((await cli(world, ["run", "--json", ASKING])).stdout);
    expect(json["declined"]).toEqual([declined]);

    const started = await cli(world, ["run", "--background", ASKING]);
    expect(started.stderr).toContain("what the job asks for is declined");
    const waited = await cli(world, ["jobs", "wait"]);
    expect(waited).toMatchObject({ code: 0, stdout: "done\n" });
    for (const verb of ["wait", "result", "show"]) {
      const { stdout, stderr } = await cli(world, ["jobs", verb]);
      expect(stdout + stderr).toContain("nobody to ask: run touch forbidden");
      expect(stdout + stderr).toContain("allowed by a `command` rule in `--policy FILE`");
      const told = lastJson((await cli(world, ["jobs", verb, "--json"])).stdout);
      expect(told["declined"]).toEqual([declined]);
    }
    const clean = lastJson((await cli(world, ["run", "--json", "say: hi"])).stdout);
    expect(clean).toMatchObject({ declined: [], failedMcpServers: [] });
  },
);

test("the result of a job names the MCP tool that was declined (F143)", async () => {
  const tables = mcpServerTable("notes");
  await using world = await makeWorld({
    config: { approvalPolicy: "on-request", sandboxMode: "workspace-write", tables },
  });
  await cli(world, ["run", "--background", 'tool: note {"text":"kept"}']);
  const { declined: all } = lastJson((await cli(world, ["jobs", "wait", "--json"])).stdout);
  expect(all).toEqual([
    {
      method: "mcpServer/elicitation/request",
      wish: "call the MCP tool notes / note",
      allowedBy: "`--allow-mcp notes/note`",
    },
  ]);
});

test(
  "an MCP server that does not start is named once, in text, in JSON and in the job (F145)",
  { timeout: 120_000 },
  async () => {
    const tables = '[mcp_servers.broken]\ncommand = "/nowhere/mcp-server"';
    await using world = await makeWorld({ config: { tables } });
    const failed = [{ name: "broken", error: expect.any(String) as string }];
    const { code, stderr } = await cli(world, ["run", "say: hi"]);
    expect(code).toBe(0);
    expect(stderr.split("the MCP server broken did not start")).toHaveLength(2);
    const json = lastJson((await cli(world, ["run", "--json", "say: hi"])).stdout);
    expect(json["failedMcpServers"]).toEqual(failed);
    await cli(world, ["run", "--background", "say: hi"]);
    const job = lastJson((await cli(world, ["jobs", "wait", "--json"])).stdout);
    expect(job["failedMcpServers"]).toEqual(failed);
    expect((await cli(world, ["jobs", "show"])).stdout).toContain("broken did not start");
  },
);

test(
  "a sub-agent that still works when the turn ends is named in the result (F144)",
  { timeout: 120_000 },
  async () => {
    await using world = await makeWorld();
    const spawn = (script: string): string =>
      `tool: spawn_agent ${JSON.stringify({ message: script })}`;
    const prompt = `${spawn("silence")} ;; say: done`;
    const run = await cli(world, ["run", "-q", prompt]);
    expect(run).toMatchObject({ code: 0, stdout: "done\n" });
    expect(run.stderr).toContain("a sub-agent still worked when the turn ended");
    const json = lastJson((await cli(world, ["run", "--json", prompt])).stdout);
    expect(json["unfinishedSubAgents"]).toEqual([expect.stringMatching(/^[0-9a-f-]{36}$/)]);
    await cli(world, ["run", "--background", prompt]);
    const job = lastJson((await cli(world, ["jobs", "wait", "--json"])).stdout);
    expect(job["unfinishedSubAgents"]).toHaveLength(1);
  },
);

test("a sub-agent that has ended before the turn is none of its shortfalls (F144)", async () => {
  await using world = await makeWorld();
  await using client = await world.connect();
  let ended = 0;
  client.onNotification((method) => {
    if (method === "turn/completed" && (ended += 1) === 1) world.model.release("child");
  });
  const spawned = `tool: spawn_agent ${JSON.stringify({ message: "say: child" })}`;
  const { result } = client.runTurn({ prompt: `${spawned} ;; hold: child ;; say: done` });
  expect(await result).toMatchObject({ message: "done", unfinishedSubAgents: [] });
});
