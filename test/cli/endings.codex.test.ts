import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { monotonicMs } from "../../src/base/deadline.ts";
import { eventually } from "../support/eventually.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { livingBrokers } from "../support/stop-brokers.ts";
import { slowness } from "../support/slowness.ts";
import { makeWorld, type World } from "../support/world.ts";
import { cli, lastJson, startCli, type Program } from "./program.ts";

guardAgainstLeaks();

/** What the design promises wherever somebody waits. */
const TOLD_WITHIN_MS = 200;
/** From the end of a command to our hearing of it, on a machine that is doing other things as well. */
const HEARD_WITHIN_MS = 150;

describe("run: a turn that does not complete", () => {
  test.each([
    ["fail: no more", /^codex-broker: The turn failed: .*no more$/m],
    ["quota", /because the usage limit of the plan is reached: /],
    ["http: 500", /because the model's server had an error of its own: /],
    ["http: 401", /because the login was refused: /],
    ["drop", /^codex-broker: The turn failed/m],
  ])("F101: %s ends with code 1 and Codex's own words", async (prompt, words) => {
    await using world = await makeWorld();
    const { code, stdout, stderr } = await cli(world, ["run", prompt]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(words);
    expect(stderr.trimEnd().split("\n").at(-1)).toMatch(/^ {2}→ /);
  });

  test("its result says why, in the shape of every error", async () => {
    await using world = await makeWorld();
    const { code, stdout } = await cli(world, ["run", "--json", "quota"]);
    expect(code).toBe(1);
    expect(lastJson(stdout)).toMatchObject({
      type: "result",
      status: "failed",
      message: "",
      error: {
        kind: "turnFailed",
        retryable: false,
        hint: expect.any(String) as string,
        details: { codexErrorInfo: "usageLimitExceeded" },
      },
    });
  });

  test("F62 F15: --timeout interrupts it upstream and ends with code 5", async () => {
    await using world = await makeWorld();
    const { code, stdout } = await cli(world, ["run", "--json", "--timeout", "0.3", "silence"]);
    expect(code).toBe(5);
    expect(lastJson(stdout)).toMatchObject({ status: "timedOut", error: { kind: "timedOut" } });
    expect(world.model.requests.inFlight).toBe(0);
  });

  test.each(["SIGINT", "SIGTERM"] as const)(
    "F62: %s interrupts it upstream, waits for its end, and ends with code 130",
    async (signal) => {
      await using world = await makeWorld();
      const program = await midTurn(world, ["run", "slow: 400x20ms tick"]);
      program.child.kill(signal);
      const { code, stdout, stderr } = await program.ended;
      expect({ code, stdout }).toEqual({ code: 130, stdout: "" });
      expect(stderr).toContain("interrupting the turn");
      expect(stderr).toMatch(
        /codex-broker: The turn was interrupted\.\n {2}→ .*run --resume [0-9a-f-]{36}/,
      );
      expect(world.model.requests.inFlight).toBe(0);
    },
  );

  test("the second SIGINT leaves at once", async () => {
    await using world = await makeWorld();
    const program = await midTurn(world, ["run", "slow: 400x20ms tick"]);
    const { pid } = livingBrokers(world.stateDir)[0]!.broker;
    process.kill(pid, "SIGSTOP");
    program.child.kill("SIGINT");
    await program.shows(/interrupting the turn/);
    program.child.kill("SIGINT");
    expect((await program.ended).code).toBe(130);
    process.kill(pid, "SIGCONT");
  });

  test("SIGINT before there is a broker ends it at once", async () => {
    await using world = await makeWorld();
    const program = startCli(world, ["run", "--json", "say: hi"]);
    await eventually(() => livingBrokers(world.stateDir).length === 1, "a broker starts");
    program.child.kill("SIGINT");
    const { code, stdout } = await program.ended;
    expect(code).toBe(130);
    expect(lastJson(stdout)).toMatchObject({ type: "result", status: "interrupted" });
  });
});

describe("run: a turn that is lost", () => {
  test.each(["broker", "app-server"] as const)(
    "F42 S10: a killed %s ends it with code 4 at once, with the way to go on",
    async (victim) => {
      await using world = await makeWorld();
      const program = await midTurn(world, ["run", "--json", "slow: 400x20ms tick"]);
      const status = lastJson((await cli(world, ["status", "--json"])).stdout);
      const appServer = (status["appServer"] as { pid: number }).pid;
      const at = monotonicMs();
      process.kill(victim === "broker" ? (status["pid"] as number) : appServer, "SIGKILL");
      await program.shows(/"type":"result"/, "stdout");
      const ms = monotonicMs() - at;
      const { code, stdout, stderr } = await program.ended;
      const endedMs = monotonicMs() - at;
      expect(code).toBe(4);
      const result = lastJson(stdout);
      const threadId = String(result["threadId"]);
      expect(result).toMatchObject({
        status: "lost",
        error: { kind: "turnLost", details: { threadId } },
      });
      expect(stderr).toContain(`codex-broker run --resume ${threadId}`);
      const factor = await slowness();
      expect(ms).toBeLessThan(TOLD_WITHIN_MS * factor);
      expect(endedMs).toBeLessThan((TOLD_WITHIN_MS + HEARD_WITHIN_MS) * factor);
    },
  );
});

describe("a command that cannot start", () => {
  test.each(["run", "ensure", "call"])(
    "%s: no codex under the name given ends with code 3",
    async (name) => {
      await using world = await makeWorld();
      const words = name === "ensure" ? [] : ["x/y"];
      const { code, stdout, stderr } = await cli(world, [
        name,
        ...words,
        "--codex",
        "/nowhere/codex",
        "--json",
      ]);
      expect(code).toBe(3);
      expect(lastJson(stdout)).toMatchObject({ error: { kind: "codexNotFound" } });
      expect(stderr).toMatch(/^codex-broker: The codex that was given does not exist: .*\n {2}→ /);
    },
  );

  test("a CODEX_HOME that does not exist", async () => {
    await using world = await makeWorld({ env: { CODEX_HOME: "/nowhere/home" } });
    const { code, stdout } = await cli(world, ["run", "--json", "say: hi"]);
    expect(code).toBe(3);
    expect(lastJson(stdout)).toMatchObject({
      type: "result",
      status: "notStarted",
      threadId: null,
      error: { kind: "codexHomeMissing" },
    });
  });

  test("a broken config.toml", async () => {
    await using world = await makeWorld();
    writeFileSync(world.home.configFile, "this is = = not toml");
    const { code, stderr } = await cli(world, ["run", "say: hi"]);
    expect(code).toBe(3);
    expect(stderr).toContain("config");
    expect(stderr).toContain("  → Correct config.toml in CODEX_HOME");
  });

  test("a provider that wants a login, and none there", async () => {
    await using world = await makeWorld();
    writeFileSync(
      world.home.configFile,
      'model_provider = "openai"\n[features]\nplugins = false\n',
    );
    const { code, stderr } = await cli(world, ["run", "say: hi"]);
    expect(code).toBe(3);
    expect(stderr).toContain("Codex is not logged in");
    expect(stderr).toContain("codex login");
  });

  test("a workspace that does not exist", async () => {
    await using world = await makeWorld();
    const { code, stderr } = await cli(world, ["status", "--cwd", join(world.workspace, "none")]);
    expect(code).toBe(2);
    expect(stderr).toContain("cannot be used");
  });
});

test("CODEX_BROKER_DEBUG=1 shows the stack of what went wrong, and nothing else does", async () => {
  await using world = await makeWorld();
  const args = ["ensure", "--codex", "/nowhere/codex"];
  expect((await cli(world, args)).stderr).not.toMatch(/^ +at /m);
  const { stderr } = await cli(world, args, { env: { CODEX_BROKER_DEBUG: "1" } });
  expect(stderr).toMatch(/^ +at /m);
});

async function midTurn(world: World, args: readonly string[]): Promise<Program> {
  const program = startCli(world, args);
  await eventually(() => world.model.requests.inFlight === 1, "the model is asked");
  await program.shows(/./, args.includes("--json") ? "stdout" : "stderr");
  return program;
}
