import { describe, expect, test } from "vitest";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeWorld } from "../support/world.ts";
import { cli } from "./program.ts";
import { CTRL_C, noTerminal, startOnTerminal } from "./pty.ts";
import { Screen } from "./screen.ts";

guardAgainstLeaks();

describe.skipIf(noTerminal !== undefined)(`on a terminal (${noTerminal ?? "there is one"})`, () => {
  test("a run shows what it is doing, then what was done, and the message last", async () => {
    await using world = await makeWorld();
    const prompt = "say: I look. ;; shell: sleep 0.3; exit 3 ;; slow: 12x50ms tick";
    const program = startOnTerminal(world, ["run", prompt]);
    await program.shows(/starting a broker/, "stdout");
    await program.shows(/running sleep 0\.3; exit 3/, "stdout");
    await program.shows(/writing/, "stdout");
    await program.shows(/tick 3/, "stdout");
    const { code, stdout } = await program.ended;
    expect(code).toBe(0);
    const screen = new Screen(80);
    screen.write(stdout);
    expect(screen.lines).toEqual([
      expect.stringMatching(/^thread [0-9a-f-]{36} · mock-model · \//) as string,
      expect.stringMatching(/^! Model metadata/) as string,
      "│ I look.",
      expect.stringMatching(/^✗ sleep 0\.3; exit 3 {2}exit 3 · 0\.\d s$/) as string,
      expect.stringMatching(/^✓ done in \d.*s · [\d,]+ tokens in, [\d,]+ out$/) as string,
      "",
      "tick 1 tick 2 tick 3 tick 4 tick 5 tick 6 tick 7 tick 8 tick 9 tick 10 tick 11 t",
      "ick 12",
    ]);
  });

  test("no row is wider than a narrow terminal", async () => {
    await using world = await makeWorld();
    await cli(world, ["ensure"]);
    const command = `echo ${"wide ".repeat(30)}; sleep 0.3`;
    const program = startOnTerminal(world, ["run", `shell: ${command} ;; slow: 20x20ms 漢字かな`], {
      columns: 32,
    });
    const { stdout } = await program.ended;
    const screen = new Screen(32);
    screen.write(stdout);
    const above = screen.lines.slice(0, screen.lines.indexOf(""));
    expect(above).toHaveLength(4);
    expect(above[2]).toMatch(/^✓ echo wide wi.*… {2}exit 0 · 0\.\d s$/);
  });

  test("the first Ctrl-C interrupts and says so; the terminal is left in order", async () => {
    await using world = await makeWorld();
    const program = startOnTerminal(world, ["run", "slow: 400x20ms tick"]);
    await program.shows(/tick 2/, "stdout");
    program.child.stdin.write(CTRL_C);
    const { code, stdout } = await program.ended;
    expect(code).toBe(130);
    expect(stdout).toContain("interrupting the turn; once more leaves at once");
    const screen = new Screen(80);
    screen.write(stdout);
    expect(screen.lines.some((line) => line === "codex-broker: The turn was interrupted.")).toBe(
      true,
    );
    expect(screen.lines.join("\n")).not.toMatch(/writing|interrupting/);
    expect(world.model.requests.inFlight).toBe(0);
  });

  test("NO_COLOR is obeyed", async () => {
    await using world = await makeWorld();
    await cli(world, ["ensure"]);
    const program = startOnTerminal(world, ["status"], { columns: 80, env: { NO_COLOR: "1" } });
    expect((await program.ended).stdout).not.toContain("\u001b[");
    const coloured = startOnTerminal(world, ["status"]);
    expect((await coloured.ended).stdout).toContain("\u001b[32m● serving");
  });

  test("a dumb terminal gets plain lines", async () => {
    await using world = await makeWorld();
    const program = startOnTerminal(world, ["run", "say: hi"], {
      columns: 80,
      env: { TERM: "dumb" },
    });
    const { stdout } = await program.ended;
    expect(stdout).not.toContain("\u001b");
    expect(stdout).toMatch(/^codex-broker: thread /);
  });

  test("what a model writes cannot move the cursor", async () => {
    await using world = await makeWorld();
    const program = startOnTerminal(world, ["run", "json: a\u001b[2Jb\u202ec"]);
    expect((await program.ended).stdout).toContain("a\\x1b[2Jb\\u202ec");
    expect((await cli(world, ["run", "-q", "json: a\u001b[2Jb"])).stdout).toBe("a\u001b[2Jb\n");
  });

  test("without a prompt there is a usage error instead of a wait", async () => {
    await using world = await makeWorld();
    const { code, stdout } = await startOnTerminal(world, ["run"]).ended;
    expect(code).toBe(2);
    expect(stdout).toContain("There is no prompt.");
  });

  test("logs are rendered for people", async () => {
    await using world = await makeWorld();
    await cli(world, ["ensure"]);
    await cli(world, ["stop"]);
    const screen = new Screen(400);
    screen.write((await startOnTerminal(world, ["logs"], { columns: 400 }).ended).stdout);
    expect(screen.lines[0]).toBe("── epoch 1 ──");
    expect(screen.lines[1]).toMatch(
      /^\d\d:\d\d:\d\d\.\d{3} info {2}broker\.listening workspace=\//,
    );
    expect(screen.lines).toContain("  reason      stopped");
  });
});
