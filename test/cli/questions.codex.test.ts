import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { eventually } from "../support/eventually.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { mcpServerTable } from "../support/mcp-server.ts";
import { makeWorld, type World } from "../support/world.ts";
import { cli, lastJson, type Program } from "./program.ts";
import { CTRL_C, noTerminal, startOnTerminal } from "./pty.ts";
import { Screen } from "./screen.ts";

guardAgainstLeaks();

// Each begins with the start of a broker, and some ask more than once.
vi.setConfig({ testTimeout: 60_000 });

const asking = { approvalPolicy: "on-request", sandboxMode: "workspace-write" } as const;
const withTools = { ...asking, tables: mcpServerTable("notes") };
const CHOICES = /\? a accept once · s for the session · d decline · c cancel the turn/;

function run(world: World, prompt: string, options: readonly string[] = []): Program {
  return startOnTerminal(world, ["run", ...options, prompt], { columns: 100 });
}

/** Types once the prompt stands there, and hears nothing that stood there before. */
async function answer(program: Program, prompt: RegExp, keys: string): Promise<void> {
  await program.shows(prompt, "stdout");
  program.child.stdin.write(keys);
}

async function screenOf(program: Program): Promise<{ code: number | null; lines: string[] }> {
  const { code, stdout } = await program.ended;
  const screen = new Screen(100);
  screen.write(stdout);
  return { code, lines: screen.lines };
}

describe.skipIf(noTerminal !== undefined)(`run asks (${noTerminal ?? "on a terminal"})`, () => {
  test("F65: before a command: what, where and why; one key accepts", async () => {
    await using world = await makeWorld({ config: asking });
    const program = run(world, "shell-ask: echo yes > asked ;; say: fine");
    await answer(program, CHOICES, "a");
    const { code, lines } = await screenOf(program);
    expect(code).toBe(0);
    const at = lines.indexOf("? Codex wants to run a command");
    expect(lines.slice(at - 1, at + 5)).toEqual([
      "the model's reason: the script asks for it",
      "? Codex wants to run a command",
      "│ echo yes > asked",
      `│ in ${world.workspace}`,
      "✓ accepted: run echo yes > asked",
      expect.stringMatching(/^✓ echo yes > asked {2}exit 0/) as string,
    ]);
    expect(lines.join("\n")).not.toMatch(CHOICES);
    expect(readFileSync(join(world.workspace, "asked"), "utf8")).toBe("yes\n");
  });

  test("status shows what a turn waits for, and where to answer it (F157)", async () => {
    await using world = await makeWorld({ config: asking });
    const program = run(world, "shell-ask: echo yes > asked ;; say: fine");
    await program.shows(CHOICES, "stdout");
    const { stdout } = await cli(world, ["status"]);
    expect(stdout).toMatch(/ waits for an answer, asked /);
    expect(stdout).toMatch(/^ {2}Codex wants to run a command: .*echo yes > asked/m);
    expect(stdout).toMatch(/^ {2}→ answer in session \d+ \(codex-broker.*, process \d+\)$/m);
    const status = lastJson((await cli(world, ["status", "--json"])).stdout);
    expect(status["turns"]).toMatchObject([
      {
        questions: [
          {
            method: "item/commandExecution/requestApproval",
            about: expect.stringContaining("echo yes > asked") as string,
            sessions: [expect.any(Number) as number],
          },
        ],
      },
    ]);
    await answer(program, CHOICES, "d");
    expect((await screenOf(program)).code).toBe(0);
  });

  test("status names the job of a background turn, and how to answer what it asks (F157, F158)", async () => {
    await using world = await makeWorld({ config: asking });
    const prompt = "hold: gate ;; shell-ask: echo yes > asked ;; say: fine";
    const begun = await cli(world, ["run", "--background", "--json", prompt]);
    const job = String(lastJson(begun.stdout)["job"]);
    const attached = startOnTerminal(world, ["jobs", "attach", job], { columns: 100 });
    // What it shows may stand in the journal; it is asked only when it is subscribed.
    await eventually(async () => {
      const { sessions } = lastJson((await cli(world, ["status", "--json"])).stdout);
      const all = sessions as Array<{ client: string; threads: number }>;
      return all.some(({ client, threads }) => client.includes("attach") && threads > 0);
    }, "it is attached");
    const before = (await cli(world, ["status"])).stdout;
    expect(before).toMatch(new RegExp(`^ *[0-9a-f-]{36} +job ${job} `, "m"));
    expect(before).not.toMatch(/session 1000000000/);
    world.model.release("gate");
    await attached.shows(CHOICES, "stdout");
    expect((await cli(world, ["status"])).stdout).toContain(`→ codex-broker jobs attach ${job}`);
    await answer(attached, CHOICES, "d");
    await attached.ended;
  });

  test("F65: declined, the turn goes on; cancelled, it ends", async () => {
    await using world = await makeWorld({ config: asking });
    const declining = run(world, "shell-ask: echo no > asked ;; say: fine");
    await answer(declining, CHOICES, "d");
    const declined = await screenOf(declining);
    expect(declined.code).toBe(0);
    expect(declined.lines).toContain("⊘ declined: run echo no > asked");
    const cancelling = run(world, "shell-ask: echo no > asked ;; say: fine");
    await answer(cancelling, CHOICES, "c");
    expect((await screenOf(cancelling)).code).toBe(130);
    expect(existsSync(join(world.workspace, "asked"))).toBe(false);
  });

  test("F65: for the session, the same is not asked again", async () => {
    await using world = await makeWorld({ config: asking });
    const program = run(world, "shell-ask: echo yes ;; shell-ask: echo yes ;; say: fine");
    await answer(program, CHOICES, "s");
    const { code, lines } = await screenOf(program);
    expect(code).toBe(0);
    expect(lines.filter((line) => line.startsWith("✓ echo yes  exit 0"))).toHaveLength(2);
  });

  test("F65: before a change of files, with the change", async () => {
    await using world = await makeWorld({ config: asking });
    const patch = ["*** Begin Patch", "*** Add File: new.txt", "+hello", "+you", "*** End Patch"];
    const shell = `shell: apply_patch <<'EOT'\n${patch.join("\n")}\nEOT`;
    const program = run(world, `${shell} ;; say: fine`, ["--approval", "untrusted"]);
    await answer(program, CHOICES, "a");
    const { code, lines } = await screenOf(program);
    expect(code).toBe(0);
    const at = lines.indexOf("? Codex wants to change files");
    expect(lines.slice(at - 2, at + 2)).toEqual([
      "│ +hello",
      "│ +you",
      "? Codex wants to change files",
      `│ add ${world.workspace}/new.txt`,
    ]);
    expect(program.stdout).toContain("\u001b[32m+hello");
    expect(readFileSync(join(world.workspace, "new.txt"), "utf8")).toBe("hello\nyou\n");
  });

  test("a long change is cut, and shown whole on demand", async () => {
    await using world = await makeWorld({ config: asking });
    const added = Array.from({ length: 50 }, (_none, index) => `+row ${index + 1}`);
    const patch = ["*** Begin Patch", "*** Add File: new.txt", ...added, "*** End Patch"];
    const shell = `shell: apply_patch <<'EOT'\n${patch.join("\n")}\nEOT`;
    const program = run(world, `${shell} ;; say: fine`, ["--approval", "untrusted"]);
    await answer(program, /row 18[^]*w about \d+ more rows · e to the end · d decline/, "w");
    await answer(program, /row 30[^]*w about \d+ more rows · e to the end · d decline/, "w");
    await answer(program, /row 50[^]*c cancel the turn/, "d");
    const { lines } = await screenOf(program);
    const shown = lines.filter((line) => line.startsWith("│ +row "));
    expect(shown).toEqual(added.map((line) => `│ ${line}`));
  });

  test("S11: before the call of an MCP tool; for the session, the next one is not asked about", async () => {
    await using world = await makeWorld({ config: withTools });
    const call = (text: string): string => `tool: note {"text":"${text}"}`;
    const program = run(world, `${call("one")} ;; ${call("two")}`);
    await answer(program, /a accept once · s for the session · d decline · c cancel/, "s");
    const { code, lines } = await screenOf(program);
    expect(code).toBe(0);
    const at = lines.indexOf("? Codex wants to call an MCP tool");
    expect(lines.slice(at - 3, at + 2)).toEqual([
      "│ {",
      '│   "text": "one"',
      "│ }",
      "? Codex wants to call an MCP tool",
      "│ notes / note",
    ]);
    expect(lines.join("\n")).toContain("noted: two");
  });

  test("F65: an MCP server gets the form filled in that it asks for", async () => {
    await using world = await makeWorld({ config: withTools });
    const form = {
      message: "Who are you?",
      requestedSchema: {
        type: "object",
        required: ["name"],
        properties: {
          name: { type: "string", title: "Name", minLength: 2 },
          size: { type: "string", enum: ["s", "l"], enumNames: ["Small", "Large"] },
        },
      },
    };
    const program = run(world, `tool: ask ${JSON.stringify({ form })}`);
    await answer(program, /\? a answer · d decline · c cancel/, "a");
    await answer(program, /\? Name:/, "B\r");
    await answer(program, /Name – at least 2 characters:/, "Bxo\u007f\u007fob\r");
    await answer(program, /size \(may be left out\):/, "2\r");
    const { code, lines } = await screenOf(program);
    expect(code).toBe(0);
    const text = lines.join("\n");
    expect(text).toContain("the server's message: Who are you?");
    expect(text).toContain("? An MCP server asks for data\n│ the server notes");
    expect(text).toContain("│ 2 Large");
    expect(text).toContain('"content":{"name":"Bob","size":"l"}');
  });

  test("F65: a question with options is answered by its number", async () => {
    const config = { ...asking, features: ["default_mode_request_user_input"] };
    await using world = await makeWorld({ config });
    const options = ["One", "Two"].map((label) => ({ label, description: `the ${label}` }));
    const question = { id: "q", header: "Pick", question: "Which?", options };
    const program = run(
      world,
      `tool: request_user_input ${JSON.stringify({ questions: [question] })}`,
    );
    await answer(program, /\? 1-2 choose/, "2");
    const { code, lines } = await screenOf(program);
    expect(code).toBe(0);
    const at = lines.indexOf("? Codex asks a question");
    expect(lines.slice(at - 4, at)).toEqual([
      "│ Pick",
      "│ Which?",
      "│ 1 One – the One",
      "│ 2 Two – the Two",
    ]);
    expect(lines.join("\n")).toContain('{"answers":{"q":{"answers":["Two"]}}}');
  });

  test("F93: what was typed before the question stood there is no answer", async () => {
    await using world = await makeWorld({ config: asking });
    const program = run(world, "hold: gate ;; shell-ask: echo no ;; say: fine");
    await program.shows(/mock-model/, "stdout");
    program.child.stdin.write("aaaa");
    world.model.release("gate");
    await answer(program, CHOICES, "d");
    expect((await screenOf(program)).lines).toContain("⊘ declined: run echo no");
  });

  test("Ctrl-C at a question interrupts the turn", async () => {
    await using world = await makeWorld({ config: asking });
    const program = run(world, "shell-ask: echo no ;; say: fine");
    await answer(program, CHOICES, CTRL_C);
    const { code, lines } = await screenOf(program);
    expect(code).toBe(130);
    expect(lines).toContain("? The question is answered or over");
    expect(lines).toContain("codex-broker: The turn was interrupted.");
  });

  test("F65: what another session has answered is not asked any more", async () => {
    await using world = await makeWorld({ config: asking });
    const program = run(world, "shell-ask: echo theirs ;; say: fine");
    await program.shows(CHOICES, "stdout");
    await using client = await world.connect();
    client.onQuestion(() => ({ decision: "accept" }));
    const { turns } = await client.request("broker/turns", {});
    await client.request("thread/resume", {
      threadId: turns[0]?.threadId ?? "",
      excludeTurns: true,
    });
    const { code, lines } = await screenOf(program);
    expect(code).toBe(0);
    expect(lines).toContain("? The question is answered or over");
    expect(lines.join("\n")).toMatch(/✓ echo theirs {2}exit 0/);
  });

  test("F93: a command cannot move the cursor or hide what it is", async () => {
    await using world = await makeWorld({ config: asking });
    const program = run(world, "shell-ask: echo \u001b[2J\u202ex ;; say: fine");
    await answer(program, CHOICES, "d");
    const { lines } = await screenOf(program);
    expect(lines).toContain("│ echo \\x1b[2J\\u202ex");
  });

  test("the start of a command that spaces push off the screen stands above the keys (F166)", async () => {
    await using world = await makeWorld({ config: asking });
    const hidden = `touch PWNED${" ".repeat(4_000)}; git status --short`;
    const program = run(world, `shell-ask: ${hidden} ;; say: fine`);
    await answer(program, CHOICES, "d");
    const { lines } = await screenOf(program);
    const at = lines.indexOf("? Codex wants to run a command");
    expect(lines.slice(at, at + 3)).toEqual([
      "? Codex wants to run a command",
      "│ touch PWNED⟨4000 spaces⟩; git status --short",
      `│ in ${world.workspace}`,
    ]);
    expect(existsSync(join(world.workspace, "PWNED"))).toBe(false);
  });

  test("a command of many lines has no key that accepts before its last page (F166)", async () => {
    await using world = await makeWorld({ config: asking });
    const rest = Array.from({ length: 60 }, (_none, index) => `: ${index}`).join("\n");
    const program = run(world, `shell-ask: touch PWNED\n${rest} ;; say: fine`);
    // The key that accepts is pressed on the first page, where it is none.
    await answer(program, /\? w about \d+ more rows · d decline · c cancel the turn/, "a");
    program.child.stdin.write("d");
    const { lines } = await screenOf(program);
    expect(lines.filter((line) => CHOICES.test(line))).toEqual([]);
    expect(lines).toContain("│ touch PWNED");
    expect(existsSync(join(world.workspace, "PWNED"))).toBe(false);
  });

  test("F65: --approve answers instead of a person", async () => {
    await using world = await makeWorld({ config: asking });
    const program = run(world, "shell-ask: echo no ;; say: fine", ["--approve", "none"]);
    const { code, lines } = await screenOf(program);
    expect(code).toBe(0);
    expect(lines).toContain("⊘ declined: run echo no");
    expect(program.stdout).not.toMatch(CHOICES);
  });
});
