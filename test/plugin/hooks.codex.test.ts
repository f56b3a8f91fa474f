import { execFileSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Deadline } from "../../src/base/deadline.ts";
import { changeSettings } from "../../src/cli/host/workspace-settings.ts";
import { cli, lastJson, type Ended, type Program } from "../cli/program.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { livingBrokers } from "../support/stop-brokers.ts";
import { makeWorld, type World } from "../support/world.ts";
import { hookLine, HOOKS, Installed, type HookName } from "./installed.ts";

guardAgainstLeaks();

/** Each test starts many processes, one after the other. */
const LIMIT = { timeout: 90_000 };

/** Ends when the host would cancel it, and fails then. */
async function inTime(program: Program, seconds: number): Promise<Ended> {
  const late = (): Error => new Error(`the host would have cancelled it: ${program.stderr}`);
  try {
    return await Deadline.after(seconds * 1_000).race(program.ended, late);
  } finally {
    program.child.kill("SIGKILL");
  }
}

function eventOf(world: World, event: HookName, more: object = {}): string {
  return JSON.stringify({
    session_id: "session-1",
    transcript_path: "/home/u/.claude/projects/p/it's.jsonl",
    cwd: world.workspace,
    hook_event_name: event,
    ...more,
  });
}

/** As a host does that ends the stream. */
async function fire(
  world: World,
  plugin: Installed,
  event: HookName,
  more: object = {},
  change: { readonly within?: number; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<Ended> {
  const program = plugin.hook(event, change);
  program.child.stdin.end(eventOf(world, event, more));
  return await inTime(program, hookLine(plugin.root, event).timeout);
}

async function begin(world: World, prompt: string, session: string): Promise<string> {
  const env = { CODEX_BROKER_HOST_SESSION: session };
  const { stdout } = await cli(world, ["run", "--background", "--json", prompt], { env });
  return String(lastJson(stdout)["job"]);
}

async function stateOf(world: World, job: string): Promise<unknown> {
  return lastJson((await cli(world, ["jobs", "show", job, "--json"])).stdout)["state"];
}

/** The broker of the world does not move while this is held. */
function stopped(world: World): Disposable {
  const pids = livingBrokers(world.stateDir).map(({ broker }) => broker.pid);
  expect(pids).toHaveLength(1);
  for (const pid of pids) process.kill(pid, "SIGSTOP");
  return { [Symbol.dispose]: () => pids.forEach((pid) => process.kill(pid, "SIGCONT")) };
}

/** A PATH with a node that notes its start, and then waits until it is released. */
function slowNode(world: World): Disposable & {
  readonly env: NodeJS.ProcessEnv;
  readonly started: string;
  release(): void;
} {
  const bin = join(world.stateDir, "..", "slow-bin");
  mkdirSync(bin);
  const [started, gate] = [join(bin, "started"), join(bin, "gate")];
  execFileSync("mkfifo", [gate]);
  const script = `#!/bin/sh\n: >'${started}'\nread -r go <'${gate}'\nexec '${process.execPath}' "$@"\n`;
  writeFileSync(join(bin, "node"), script, { mode: 0o755 });
  let released = false;
  const release = (): void => {
    if (released) return;
    released = true;
    // Opened for both, so that it blocks nobody where no node waits.
    const fifo = openSync(gate, "r+");
    writeSync(fifo, "go\n");
    // The reader may open it later.
    setTimeout(() => closeSync(fifo), 20_000).unref();
  };
  return { env: { PATH: bin }, started, release, [Symbol.dispose]: release };
}

/** The same home for the hook and the shell, so that both mean one broker. */
function installed(world: World): Installed {
  return new Installed(world, { CODEX_BROKER_CODEX: world.env["CODEX_BROKER_CODEX"] });
}

describe("the input of a hook", LIMIT, () => {
  test.each(HOOKS)("F100: %s needs no end of it, nor anything in it", async (event) => {
    await using world = await makeWorld();
    const plugin = installed(world);
    const seconds = hookLine(plugin.root, event).timeout;
    const given = async (input: string, ends: boolean, within?: number): Promise<Ended> => {
      const program = plugin.hook(event, within === undefined ? {} : { within });
      if (input !== "") program.child.stdin.write(input);
      if (ends) program.child.stdin.end();
      return await inTime(program, seconds);
    };
    for (const [input, ends] of [
      ["", false],
      ["", true],
      ["\u0000 no JSON } { at all", false],
      ['{"session_id":"s","cwd"', true],
    ] as const) {
      const { code, stdout, stderr } = await given(input, ends);
      expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
      // The end of a session is read in the background, where there is something to do.
      expect(stderr).toContain(event === "SessionEnd" ? "" : "the hook did nothing");
    }
    const huge = `{"a":"${"x".repeat(1_000_000)}","session_id":"s"}`;
    // With time enough, so that what ends it is the input and not its bound.
    for (const input of [eventOf(world, event), huge]) {
      const said = await given(input, false, 10 * seconds);
      expect(said).toMatchObject({ code: 0, stdout: "", stderr: "" });
    }
    expect(livingBrokers(world.stateDir)).toEqual([]);
  });
});

describe("at the start of a session", LIMIT, () => {
  test("its shells learn what it is called, and quotes harm nobody", async () => {
    await using world = await makeWorld();
    const plugin = installed(world);
    const file = join(world.stateDir, "..", "session-env");
    writeFileSync(file, "export OTHER=1\n");
    const env = { CLAUDE_ENV_FILE: file };
    expect(await fire(world, plugin, "SessionStart", {}, { env })).toMatchObject({ code: 0 });
    expect(readFileSync(file, "utf8")).toMatch(/^export OTHER=1\n/);
    const line = `. '${file}'; printf '%s|' "$CODEX_BROKER_HOST_SESSION" "$CODEX_BROKER_HOST_TRANSCRIPT"`;
    const { stdout } = await plugin.shell(line);
    expect(stdout).toBe("session-1|/home/u/.claude/projects/p/it's.jsonl|");
  });

  test("a host without such a file is told nothing", async () => {
    await using world = await makeWorld();
    const said = await fire(world, installed(world), "SessionStart");
    expect(said).toMatchObject({ code: 0, stdout: "", stderr: "" });
  });
});

describe("at the end of a session", LIMIT, () => {
  test("F26, F57: neither the broker nor a job nor a result of anybody is touched", async () => {
    await using world = await makeWorld();
    const plugin = installed(world);
    const done = await begin(world, "say: the result", "session-1");
    await cli(world, ["jobs", "wait", done]);
    const mine = await begin(world, "hold: mine ;; say: mine", "session-1");
    const other = await begin(world, "hold: other ;; say: other", "session-2");
    const before = livingBrokers(world.stateDir);
    const said = await fire(world, plugin, "SessionEnd", { reason: "prompt_input_exit" });
    expect(said).toMatchObject({ code: 0, stdout: "", stderr: "" });
    expect(livingBrokers(world.stateDir)).toEqual(before);
    world.model.release("mine");
    world.model.release("other");
    expect((await cli(world, ["jobs", "wait", mine])).stdout).toBe("mine\n");
    expect((await cli(world, ["jobs", "wait", other])).stdout).toBe("other\n");
    expect((await cli(world, ["jobs", "result", done])).stdout).toBe("the result\n");
  });

  test("the session's own jobs are cancelled where that was chosen, and no others", async () => {
    await using world = await makeWorld();
    const plugin = installed(world);
    expect(await plugin.slash("setup", "--jobs-at-end cancel")).toContain("cancelled");
    const mine = await begin(world, "hold: mine", "session-1");
    const other = await begin(world, "hold: other ;; say: other", "session-2");
    await fire(world, plugin, "SessionEnd", { reason: "clear" });
    expect(await stateOf(world, mine)).toBe("running");
    await fire(world, plugin, "SessionEnd", { reason: "logout" });
    expect((await cli(world, ["jobs", "wait", mine])).code).toBe(130);
    expect(await stateOf(world, other)).toBe("running");
    world.model.release("other");
    expect((await cli(world, ["jobs", "wait", other])).stdout).toBe("other\n");
  });

  test("no program is started where nothing is to be done (F151)", async () => {
    await using world = await makeWorld();
    const plugin = installed(world);
    changeSettings(world.workspace, { reviewGate: true }, world.env);
    using node = slowNode(world);
    const said = await fire(world, plugin, "SessionEnd", {}, { env: node.env });
    expect(said).toMatchObject({ code: 0, stdout: "", stderr: "" });
    expect(existsSync(node.started)).toBe(false);
  });

  test("a machine on which Node does not start yet holds up no end, and the jobs are cancelled (F151)", async () => {
    await using world = await makeWorld();
    const plugin = installed(world);
    changeSettings(world.workspace, { jobsAtEnd: "cancel" }, world.env);
    const mine = await begin(world, "hold: mine", "session-1");
    using node = slowNode(world);
    // Node cannot begin before this has ended: it waits for the release.
    const said = await fire(world, plugin, "SessionEnd", { reason: "logout" }, { env: node.env });
    expect(said).toMatchObject({ code: 0, stdout: "", stderr: "" });
    expect(await stateOf(world, mine)).toBe("running");
    node.release();
    expect((await cli(world, ["jobs", "wait", mine])).code).toBe(130);
  });

  test("F13: a broker that does not move holds up no hook, and its jobs are cancelled when it does", async () => {
    await using world = await makeWorld();
    const plugin = installed(world);
    changeSettings(world.workspace, { jobsAtEnd: "cancel" }, world.env);
    const job = await begin(world, "hold", "session-1");
    {
      using _still = stopped(world);
      for (const event of HOOKS) {
        expect(await fire(world, plugin, event)).toMatchObject({ code: 0, stdout: "" });
      }
    }
    expect((await cli(world, ["jobs", "wait", job])).code).toBe(130);
  });
});

describe("the review gate", LIMIT, () => {
  const mend = {
    verdict: "mend",
    summary: "It loses the last line.",
    findings: [{ title: "lost line", file: "a.ts", line: 3, why: "no line feed" }],
  };

  async function gated(): Promise<{ world: World; plugin: Installed }> {
    const world = await makeWorld();
    changeSettings(world.workspace, { reviewGate: true }, world.env);
    return { world, plugin: installed(world) };
  }

  /** What the model does is the last thing that the prompt says. */
  const says = (script: string): object => ({ last_assistant_message: `I am done. ;; ${script}` });

  test("is off until it is switched on, and then asks nobody", async () => {
    await using world = await makeWorld();
    const plugin = installed(world);
    const said = await fire(world, plugin, "Stop", says("say: x"));
    expect(said).toMatchObject({ code: 0, stdout: "", stderr: "" });
    expect(world.model.requests.total).toBe(0);
    expect(await plugin.slash("setup", "--enable-review-gate")).toContain("review gate: on");
    expect(await plugin.slash("status")).toContain("review gate: on");
    const on = await fire(world, plugin, "Stop", says(`json: ${JSON.stringify(mend)}`));
    expect(lastJson(on.stdout)["decision"]).toBe("block");
    expect(await plugin.slash("setup", "--disable-review-gate")).toContain("review gate: off");
    expect(await fire(world, plugin, "Stop", says("say: x"))).toMatchObject({ stdout: "" });
  });

  test("F101: what it finds, that it finds nothing, that it could not look: each is said as what it is", async () => {
    const { world, plugin } = await gated();
    await using _world = world;
    const pass = { verdict: "pass", summary: "Only words.", findings: [] };
    const found = await fire(world, plugin, "Stop", says(`json: ${JSON.stringify(mend)}`));
    expect(lastJson(found.stdout)).toEqual({
      decision: "block",
      reason: expect.stringContaining("lost line (a.ts:3): no line feed") as string,
    });
    const nothing = await fire(world, plugin, "Stop", says(`json: ${JSON.stringify(pass)}`));
    expect(lastJson(nothing.stdout)).toEqual({
      systemMessage: "Codex review gate: nothing to mend. Only words.",
    });
    const failed = await fire(world, plugin, "Stop", says("fail: no more today"));
    expect(lastJson(failed.stdout)["systemMessage"]).toMatch(/could not run.*no more today/s);
    const garbled = await fire(world, plugin, "Stop", says("say: looks fine"));
    expect(lastJson(garbled.stdout)["systemMessage"]).toMatch(/could not run.*form/s);
    const env = { CODEX_BROKER_CODEX: "/nowhere/codex" };
    const missing = await fire(world, plugin, "Stop", says("say: x"), { env });
    expect(lastJson(missing.stdout)["systemMessage"]).toMatch(/could not run.*\/nowhere\/codex/s);
    for (const { code } of [found, nothing, failed, garbled, missing]) expect(code).toBe(0);
  });

  test("F101: a review that does not end is interrupted before the host ends the hook", async () => {
    const { world, plugin } = await gated();
    await using _world = world;
    const { code, stdout } = await fire(world, plugin, "Stop", says("silence"), { within: 8 });
    expect(code).toBe(0);
    expect(lastJson(stdout)["systemMessage"]).toContain("not done within");
    const deadline = Deadline.after(10_000);
    for (;;) {
      const status = await cli(world, ["status", "--json"]);
      if ((lastJson(status.stdout)["turns"] as unknown[]).length === 0) break;
      expect(deadline.expired).toBe(false);
    }
  });

  test("F101: it blocks no more than once in a chain of stops", async () => {
    const { world, plugin } = await gated();
    await using _world = world;
    const more = { ...says(`json: ${JSON.stringify(mend)}`), stop_hook_active: true };
    expect(await fire(world, plugin, "Stop", more)).toMatchObject({ code: 0, stdout: "" });
    expect(world.model.requests.total).toBe(0);
  });

  test("F13: a broker that does not move costs it no more than its time", async () => {
    const { world, plugin } = await gated();
    await using _world = world;
    const job = await begin(world, "hold", "session-1");
    using _still = stopped(world);
    const { code, stdout } = await fire(world, plugin, "Stop", says("say: x"), { within: 5 });
    expect(code).toBe(0);
    expect(lastJson(stdout)["systemMessage"]).toMatch(/could not run|not done within/);
    expect(job).toMatch(/^\w{8}$/);
  });

  test("F56: damaged settings are told of, and nothing is blocked", async () => {
    const { world, plugin } = await gated();
    await using _world = world;
    const folder = join(world.stateDir, "workspaces");
    writeFileSync(join(folder, readdirSync(folder)[0] ?? ""), "no JSON");
    const { code, stdout } = await fire(world, plugin, "Stop", says("say: x"));
    expect(code).toBe(0);
    expect(lastJson(stdout)["systemMessage"]).toContain("cannot be read");
    expect(await plugin.slash("setup", "--enable-review-gate")).toContain("put aside");
    const on = await fire(world, plugin, "Stop", says(`json: ${JSON.stringify(mend)}`));
    expect(lastJson(on.stdout)["decision"]).toBe("block");
  });
});
