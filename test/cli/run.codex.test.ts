import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { differs } from "../support/wine.ts";
import { makeWorld } from "../support/world.ts";
import { cli, jsonLines, lastJson, startCli } from "./program.ts";

guardAgainstLeaks();

describe("run: what goes where", () => {
  test("only the final message is on stdout, and plain lines are on stderr", async () => {
    await using world = await makeWorld();
    const prompt = "say: I look. ;; shell: exit 3 ;; say: all is\\nwell";
    const { code, stdout, stderr } = await cli(world, ["run", prompt]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: "all is\\nwell\n" });
    const lines = stderr.trimEnd().split("\n");
    expect(lines[0]).toMatch(
      /^codex-broker: thread [0-9a-f-]{36} \(mock-model, in \S*[\\/]work\)$/,
    );
    expect(lines).toContain("message: I look.");
    expect(lines).toContain("running: exit 3");
    const code3 = differs("powerShell") ? "0" : "3";
    expect(lines.find((line) => line.startsWith(`exit ${code3} in `))).toMatch(/in .*s: exit 3$/);
    expect(lines.at(-1)).toMatch(/^codex-broker: completed in .* s, [\d,]+ tokens in, [\d,]+ out$/);
    expect(stderr).not.toContain("\u001b");
  });

  test("--json prints one event a line and ends with a result of a fixed shape", async () => {
    await using world = await makeWorld();
    const { code, stdout } = await cli(world, ["run", "--json", "shell: true ;; say: done"]);
    const events = jsonLines(stdout);
    expect(code).toBe(0);
    expect(events.map(({ type }) => type)).toEqual(
      expect.arrayContaining([
        "thread.started",
        "turn.started",
        "item.completed",
        "turn.completed",
      ]),
    );
    const result = events.at(-1) ?? {};
    expect(Object.keys(result)).toEqual([
      "type",
      "status",
      "threadId",
      "turnId",
      "message",
      "durationMs",
      "usage",
      "declined",
      "failedMcpServers",
      "unfinishedSubAgents",
    ]);
    expect(result).toMatchObject({ type: "result", status: "completed", message: "done" });
    expect(result["threadId"]).toBe(events[0]?.["threadId"]);
    expect(result["usage"]).toMatchObject({ total: { totalTokens: expect.any(Number) as number } });
  });

  test("--quiet says nothing on stderr", async () => {
    await using world = await makeWorld();
    const ended = await cli(world, ["run", "-q", "say: hush"]);
    expect(ended).toMatchObject({ code: 0, stdout: "hush\n", stderr: "" });
  });

  test("a reader that goes away ends the run quietly, and the turn with it", async () => {
    await using world = await makeWorld();
    const program = startCli(world, ["run", "--json", "slow: 400x20ms tick"]);
    await program.shows(/message\.delta/, "stdout");
    program.child.stdout.destroy();
    const { code, stderr } = await program.ended;
    expect(code).toBe(130);
    expect(stderr).not.toMatch(/EPIPE|Error|at /);
    expect(world.model.requests.inFlight).toBe(0);
  });
});

describe("run: where the prompt comes from", () => {
  test("F94: nothing after -- is read as an option", async () => {
    await using world = await makeWorld();
    const { code } = await cli(world, ["run", "-q", "--", "-m", "pytest", "--json", "--help"]);
    expect(code).toBe(0);
    expect(world.model.requests.recent.at(-1)?.prompt).toBe("-m pytest --json --help");
  });

  test("F94: a prompt that looks like options is refused rather than guessed at", async () => {
    await using world = await makeWorld();
    const { code, stderr } = await cli(world, ["run", "-m", "pytest"]);
    expect(code).toBe(2);
    expect(stderr).toContain("what follows `--` is never read as an option");
    expect(world.model.requests.total).toBe(0);
  });

  test.each([
    ["run", "-q"],
    ["run", "-q", "-"],
  ])("stdin: %s %s %s", async (...args) => {
    await using world = await makeWorld();
    const { stdout } = await cli(world, args, { stdin: "say: from stdin\n" });
    expect(stdout).toBe("from stdin\n");
  });

  test("F100: with a prompt, a stdin that never ends is not read", async () => {
    await using world = await makeWorld();
    const program = startCli(world, ["run", "-q", "say: here"], { openStdin: true });
    expect(await program.ended).toMatchObject({ code: 0, stdout: "here\n" });
  });

  test("F100: one that waits for its stdin says so", async () => {
    await using world = await makeWorld();
    const program = startCli(world, ["run", "-q"], { openStdin: true });
    await program.shows(/waiting for the prompt on stdin/);
    program.child.stdin.end("say: at last");
    expect((await program.ended).stdout).toBe("at last\n");
  });

  test("a file", async () => {
    await using world = await makeWorld();
    const file = join(world.workspace, "prompt.md");
    writeFileSync(file, "say: from a file");
    expect((await cli(world, ["run", "-q", "--file", file])).stdout).toBe("from a file\n");
  });
});

describe("run: what is passed on", () => {
  test("model, effort, sandbox and approval policy reach Codex; a schema shapes the answer", async () => {
    await using world = await makeWorld();
    const schema = join(world.workspace, "schema.json");
    writeFileSync(schema, '{"type":"object"}');
    const options = ["--model", "other", "--effort", "low", "--output-schema", schema];
    const { code, stdout } = await cli(world, ["run", "--json", ...options, 'json: {"ok":true}']);
    expect(code).toBe(0);
    expect(lastJson(stdout)["message"]).toBe('{"ok":true}');
    const body = world.model.requests.recent.at(-1)?.body;
    expect(body).toMatchObject({
      model: "other",
      reasoning: { effort: "low" },
      text: { format: { schema: { type: "object" } } },
    });
  });

  test("a new thread works where the command was typed", async () => {
    await using world = await makeWorld();
    const { stdout } = await cli(world, ["run", "--json", "say: hi", "--cwd", world.workspace], {
      cwd: "/",
    });
    expect(jsonLines(stdout)[0]).toMatchObject({ type: "thread.started", cwd: world.workspace });
  });

  test("--resume without an id continues the newest thread, and words after it are the prompt", async () => {
    await using world = await makeWorld();
    const first = lastJson((await cli(world, ["run", "--json", "say: one"])).stdout);
    const { stdout } = await cli(world, ["run", "--json", "--resume", "say: two"]);
    expect(jsonLines(stdout)[0]).toMatchObject({
      type: "thread.started",
      resumed: true,
      threadId: first["threadId"],
    });
    expect(lastJson(stdout)["message"]).toBe("two");
    const named = ["run", "--json", "--resume", String(first["threadId"]), "say: three"];
    expect(lastJson((await cli(world, named)).stdout)).toMatchObject({
      message: "three",
      threadId: first["threadId"],
    });
  });

  test("--resume where there is no thread yet is a usage error", async () => {
    await using world = await makeWorld();
    const { code, stderr } = await cli(world, ["run", "--resume", "--", "go on"]);
    expect(code).toBe(2);
    expect(stderr).toContain("No thread was begun");
  });
});

describe.skipIf(differs("powerShell"))("run: questions of Codex", () => {
  const config = { approvalPolicy: "on-request", sandboxMode: "workspace-write" } as const;

  test("F65: are declined unless it was said otherwise", async () => {
    await using world = await makeWorld({ config });
    const { code, stderr } = await cli(world, ["run", "shell-ask: echo yes > asked ;; say: fine"]);
    expect(code).toBe(0);
    expect(stderr).toContain("declined: run echo yes > asked\n");
    expect(stderr).not.toContain("exit 0");
  });

  test("--approve all accepts commands", async () => {
    await using world = await makeWorld({ config });
    const args = ["run", "--json", "--approve", "all", "shell-ask: echo yes ;; say: fine"];
    const { code, stdout } = await cli(world, args);
    expect(code).toBe(0);
    const events = jsonLines(stdout);
    expect(events).toContainEqual({
      type: "question",
      method: "item/commandExecution/requestApproval",
      decision: "accepted",
      wish: "run echo yes",
    });
    expect(stdout).toContain('"exitCode":0');
  });
});

test("two runs at once share one app-server, and status shows both", async () => {
  await using world = await makeWorld();
  const one = startCli(world, ["run", "-q", "hold: gate ;; say: one"]);
  const two = startCli(world, ["run", "-q", "hold: gate ;; say: two"]);
  await eventually(() => world.model.requests.inFlight === 2, "the model is asked");
  const status = lastJson((await cli(world, ["status", "--json"])).stdout);
  expect(status["sessions"]).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ pid: one.pid, threads: 1 }),
      expect.objectContaining({ pid: two.pid, threads: 1 }),
    ]),
  );
  expect(status).toMatchObject({
    threads: 2,
    turns: [{ ageMs: expect.any(Number) as number, silentMs: expect.any(Number) as number }, {}],
  });
  const shown = (await cli(world, ["status"])).stdout;
  expect(shown).toContain(String(one.pid));
  expect(shown).toContain(String(two.pid));
  world.model.release("gate");
  expect([(await one.ended).stdout, (await two.ended).stdout]).toEqual(["one\n", "two\n"]);
});
