import { describe, expect, test } from "vitest";
import { pause } from "../../src/base/deadline.ts";
import { eventually } from "../support/eventually.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { livingBrokers } from "../support/stop-brokers.ts";
import { makeWorld } from "../support/world.ts";
import { cli, jsonLines, lastJson, startCli } from "./program.ts";

guardAgainstLeaks();

/** What scripts may count on, from `ensure` and `status` alike. */
const FACTS = [
  "scope",
  "workspace",
  "stateDir",
  "epoch",
  "instance",
  "state",
  "pid",
  "startedAt",
  "endpoint",
  "versions",
  "appServer",
];

describe("ensure", () => {
  test("starts a broker once, and then finds it", async () => {
    await using world = await makeWorld();
    const first = lastJson((await cli(world, ["ensure", "--json"])).stdout);
    const second = lastJson((await cli(world, ["ensure", "--json"])).stdout);
    for (const name of FACTS) expect(first).toHaveProperty(name);
    expect(first).toMatchObject({
      started: true,
      state: "serving",
      workspace: world.workspace,
      stateDir: world.stateDir,
      appServer: {
        pid: expect.any(Number) as number,
        version: "0.169.0",
        lastAnswerMsAgo: expect.any(Number) as number,
      },
    });
    expect(second).toMatchObject({ started: false, instance: first["instance"] });
  });

  test("tells people in two lines", async () => {
    await using world = await makeWorld();
    const { stdout } = await cli(world, ["ensure"]);
    expect(stdout).toMatch(
      /^● serving {2}.*\/work\n {2}epoch 1 · process \d+ · codex 0\.169\.0 · .*started in \d+ ms\n$/,
    );
  });

  test("S2: the age limit comes from the option or the environment, and 0 turns it off", async () => {
    await using world = await makeWorld();
    const variable = "CODEX_COMPANION_BROKER_MAX_AGE_HOURS";
    const epoch = async (args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<unknown> =>
      lastJson((await cli(world, ["ensure", "--json", ...args], { env })).stdout)["epoch"];
    const hundredMs = "0.000028";
    expect(await epoch([])).toBe(1);
    await pause(100);
    expect(await epoch(["--max-age", "0"], { [variable]: hundredMs })).toBe(1);
    expect(await epoch(["--max-age", "1"], { [variable]: hundredMs })).toBe(1);
    expect(await epoch([], { [variable]: hundredMs })).toBeGreaterThan(1);
    const refused = await cli(world, ["ensure"], { env: { [variable]: "six" } });
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain(variable);
    expect((await cli(world, ["ensure", "--max-age", "six"])).code).toBe(2);
  });

  test.each([
    ["--max-memory", "lots", "megabytes"],
    ["--max-descriptors", "101", "percent up to 100"],
    ["--max-descendants", "-1", "processes"],
    ["--max-failures", "x", "turns"],
  ])("F90 F96: %s %s is refused with a message", async (option, value, unit) => {
    await using world = await makeWorld();
    const { code, stderr } = await cli(world, ["ensure", `${option}=${value}`]);
    expect(code).toBe(2);
    expect(stderr).toContain(`${option} takes a number of ${unit}, not "${value}"`);
    expect(livingBrokers(world.stateDir)).toEqual([]);
  });

  test("--idle-timeout ends a broker that nobody uses, and the log says so", async () => {
    await using world = await makeWorld();
    await cli(world, ["ensure", "--idle-timeout", "0.1"]);
    await eventually(() => livingBrokers(world.stateDir).length === 0, "the broker ends");
    const status = lastJson((await cli(world, ["status", "--json"])).stdout);
    expect(status).toMatchObject({ state: "absent", reason: "the last broker has ended: idle" });
  });

  test("a label keeps brokers apart", async () => {
    await using world = await makeWorld();
    const plain = lastJson((await cli(world, ["ensure", "--json"])).stdout);
    const other = lastJson((await cli(world, ["ensure", "--json", "--label", "ci"])).stdout);
    expect(other["scope"]).not.toBe(plain["scope"]);
    expect(livingBrokers(world.stateDir)).toHaveLength(2);
  });
});

describe("status", () => {
  test("F87: says that there is none, why, and what to type; and starts none", async () => {
    await using world = await makeWorld();
    const { code, stdout } = await cli(world, ["status"]);
    expect(code).toBe(0);
    expect(stdout).toContain("no broker");
    expect(stdout).toContain("codex-broker ensure");
    expect(stdout).toContain("CODEX_BROKER_STATE_DIR");
    const json = lastJson((await cli(world, ["status", "--json"])).stdout);
    expect(json).toEqual({
      state: "absent",
      verdict: "absent",
      reason: "no broker has been started for this workspace",
      scope: expect.any(String) as string,
      workspace: world.workspace,
      stateDir: world.stateDir,
      siblings: [],
    });
    expect(livingBrokers(world.stateDir)).toEqual([]);
  });

  test("F87: shows what the broker says of itself, and not the question", async () => {
    await using world = await makeWorld();
    await cli(world, ["ensure"]);
    const json = lastJson((await cli(world, ["status", "--json"])).stdout);
    for (const name of [...FACTS, "sessions", "threads"]) expect(json).toHaveProperty(name);
    expect(json).toMatchObject({ sessions: [], threads: 0, turns: [], verdict: "usable" });
    const { stdout } = await cli(world, ["status"]);
    expect(stdout).toContain(`process ${String(json["pid"])}`);
    expect(stdout).not.toContain("\u001b");
  });

  test("F87 F29: names an older broker that still finishes a turn", async () => {
    await using world = await makeWorld();
    const run = startCli(world, ["run", "--json", "slow: 200x50ms tick"]);
    await eventually(() => world.model.requests.inFlight === 1, "the model is asked");
    await cli(world, ["rotate"]);
    const { older } = lastJson((await cli(world, ["status", "--json"])).stdout);
    expect(older).toMatchObject([{ epoch: 1, state: "draining", turns: [{ session: 1 }] }]);
    const { stdout } = await cli(world, ["status"]);
    expect(stdout).toMatch(/older +epoch 1 draining · finishes 1 turn/);
    run.child.kill("SIGINT");
    expect((await run.ended).code).toBe(130);
  });
});

describe("stop", () => {
  test("ends the broker, and is a success where there is none", async () => {
    await using world = await makeWorld();
    await cli(world, ["ensure"]);
    const stopped = await cli(world, ["stop", "--json"]);
    expect(stopped.code).toBe(0);
    expect(lastJson(stopped.stdout)).toMatchObject({ state: "stopped", epoch: 1, turns: 0 });
    expect(livingBrokers(world.stateDir)).toEqual([]);
    const again = await cli(world, ["stop", "--json"]);
    expect(again.code).toBe(0);
    expect(lastJson(again.stdout)).toMatchObject({ state: "absent" });
  });

  test("F29: lets a running turn finish, says that it does, and gives up waiting in time", async () => {
    await using world = await makeWorld();
    const run = startCli(world, ["run", "-q", "hold: gate ;; say: finished"]);
    await eventually(() => world.model.requests.inFlight === 1, "the model is asked");
    const impatient = await cli(world, ["stop", "--timeout", "0.2"]);
    expect(impatient.code).toBe(5);
    expect(impatient.stderr).toContain("waits for 1 running turn");
    const patient = startCli(world, ["stop"]);
    await patient.shows(/waits for 1 running turn/);
    world.model.release("gate");
    expect((await patient.ended).code).toBe(0);
    expect(await run.ended).toMatchObject({ code: 0, stdout: "finished\n" });
  });

  test("--force interrupts a running turn", async () => {
    await using world = await makeWorld();
    const run = startCli(world, ["run", "--json", "silence"]);
    await eventually(() => world.model.requests.inFlight === 1, "the model is asked");
    expect((await cli(world, ["stop", "--force"])).code).toBe(0);
    const { code, stdout } = await run.ended;
    expect(code).toBe(130);
    expect(lastJson(stdout)).toMatchObject({ status: "interrupted" });
  });
});

describe("rotate", () => {
  test("F29: replaces the broker, and a running turn finishes in the older one", async () => {
    await using world = await makeWorld();
    const run = startCli(world, ["run", "-q", "hold: gate ;; say: finished"]);
    await eventually(() => world.model.requests.inFlight === 1, "the model is asked");
    const rotated = lastJson((await cli(world, ["rotate", "--json"])).stdout);
    expect(rotated).toMatchObject({ epoch: 2, state: "serving" });
    const listed = lastJson((await cli(world, ["ps", "--json"])).stdout);
    expect(listed["brokers"]).toEqual([
      expect.objectContaining({ epoch: 2, state: "serving", turns: 0 }),
      expect.objectContaining({ epoch: 1, state: "draining", turns: 1 }),
    ]);
    world.model.release("gate");
    expect(await run.ended).toMatchObject({ code: 0, stdout: "finished\n" });
  });
});

describe("ps", () => {
  test("lists the brokers of all workspaces, and how others ended", async () => {
    await using world = await makeWorld();
    await cli(world, ["ensure"]);
    await cli(world, ["ensure", "--label", "other"]);
    await cli(world, ["stop", "--label", "other"]);
    const { stdout } = await cli(world, ["ps"], { cwd: "/" });
    expect(stdout).toMatch(/workspace +epoch +state +process/);
    expect(stdout).toMatch(/work +1 +serving/);
    expect(stdout).toMatch(/ended .* ago: .*, epoch 1: stopped/);
  });
});

describe("env", () => {
  test("exports a path that leads to the broker", async () => {
    await using world = await makeWorld();
    const { stdout } = await cli(world, ["env"]);
    expect(stdout).toMatch(/^export CODEX_COMPANION_APP_SERVER_ENDPOINT='unix:\/.*\.current'\n$/);
  });
});

describe("logs", () => {
  test("F86: what an ended broker said, and why it ended, can be read afterwards", async () => {
    await using world = await makeWorld();
    await cli(world, ["ensure"]);
    await cli(world, ["stop"]);
    const { code, stdout } = await cli(world, ["logs", "--json"]);
    expect(code).toBe(0);
    const lines = jsonLines(stdout);
    expect(lines[0]).toMatchObject({ event: "broker.listening" });
    expect(lines.at(-1)).toMatchObject({
      obituary: { epoch: 1, reason: "stopped", exit: { code: 0, signal: null } },
    });
    expect(stdout).not.toContain("token");
    const one = jsonLines(
      (await cli(world, ["logs", "--json", "--lines", "1", "--epoch", "1"])).stdout,
    );
    expect(one).toHaveLength(2);
  });

  test("logs is text in a pipe, without the entries of one's own questions; --level and --json show them (F162)", async () => {
    await using world = await makeWorld();
    await cli(world, ["ensure"]);
    await cli(world, ["status"]);
    await cli(world, ["stop"]);
    const { stdout } = await cli(world, ["logs"]);
    expect(stdout).toMatch(/^── epoch 1 ──\n\d\d:\d\d:\d\d\.\d{3} info {2}/);
    expect(stdout).not.toMatch(/^\{/m);
    expect(stdout).not.toContain("session.ended");
    const debug = (await cli(world, ["logs", "--level", "debug"])).stdout;
    expect(debug).toMatch(/^[\d:.]+ debug session\.ended/m);
    expect((await cli(world, ["logs", "--level", "error"])).stdout).not.toContain(" info ");
    const all = jsonLines((await cli(world, ["logs", "--json"])).stdout);
    expect(all.map(({ event }) => event)).toContain("session.ended");
    const some = jsonLines((await cli(world, ["logs", "--json", "--level", "info"])).stdout);
    expect(some.map(({ event }) => event)).not.toContain("session.ended");
    const one = (await cli(world, ["logs", "--lines", "1"])).stdout.trimEnd().split("\n");
    expect(one[1]).toMatch(/ info /);
  });

  test("F86: a broker whose app-server was killed says so", async () => {
    await using world = await makeWorld();
    const ensured = lastJson((await cli(world, ["ensure", "--json"])).stdout);
    process.kill((ensured["appServer"] as { pid: number }).pid, "SIGKILL");
    await eventually(() => livingBrokers(world.stateDir).length === 0, "the broker ends");
    expect(lastJson((await cli(world, ["logs", "--json"])).stdout)).toMatchObject({
      obituary: {
        reason: expect.stringContaining("was ended by SIGKILL") as string,
        exit: { code: null, signal: "SIGKILL" },
      },
    });
  });

  test("-f prints what is added, and goes on to the next epoch", async () => {
    await using world = await makeWorld();
    await cli(world, ["ensure"]);
    const logs = startCli(world, ["logs", "-f", "--json"]);
    await logs.shows(/appServer\.started/, "stdout");
    await cli(world, ["stop"]);
    await logs.shows(/obituary.*stopped/, "stdout");
    await cli(world, ["ensure"]);
    await logs.shows(/"epoch":2.*broker\.listening/, "stdout");
    logs.child.kill("SIGINT");
    expect((await logs.ended).signal).toBe("SIGINT");
  });

  test("an epoch that there is not, and no broker at all", async () => {
    await using world = await makeWorld();
    expect((await cli(world, ["logs"])).code).toBe(0);
    const { code, stderr } = await cli(world, ["logs", "--epoch", "7"]);
    expect(code).toBe(2);
    expect(stderr).toContain("There is no epoch 7");
  });
});

describe("call", () => {
  test("prints the result, on several lines or on one", async () => {
    await using world = await makeWorld();
    const pretty = await cli(world, ["call", "thread/loaded/list"]);
    expect(pretty).toMatchObject({
      code: 0,
      stdout: '{\n  "data": [],\n  "nextCursor": null\n}\n',
    });
    const compact = await cli(world, ["call", "--json", "thread/loaded/list", "-"], {
      stdin: '{"limit":1}',
    });
    expect(compact.stdout).toBe('{"data":[],"nextCursor":null}\n');
  });

  test("F33: Codex's own refusal is shown as such and ends with code 1", async () => {
    await using world = await makeWorld();
    const { code, stdout, stderr } = await cli(world, ["call", "--json", "turn/start", "{}"]);
    expect(code).toBe(1);
    expect(lastJson(stdout)).toMatchObject({
      error: { kind: "appServerError", details: { code: -32600 } },
    });
    expect(stderr).toContain("Codex answered: ");
  });

  test("needs --experimental for what is experimental", async () => {
    await using world = await makeWorld();
    const refused = await cli(world, ["call", "server/diagnostics"]);
    expect(refused.code).not.toBe(0);
    const { code, stdout } = await cli(world, ["call", "--experimental", "server/diagnostics"]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toHaveProperty("process");
  });

  test.each(["nonsense", "[1]", '"x"'])(
    "parameters that are no object (%s) are a usage error",
    async (params) => {
      await using world = await makeWorld();
      expect((await cli(world, ["call", "thread/list", params])).code).toBe(2);
      expect(livingBrokers(world.stateDir)).toEqual([]);
    },
  );
});

describe("serve", () => {
  test("runs a broker in the foreground until it is told to end", async () => {
    await using world = await makeWorld();
    const serve = startCli(world, ["serve", "--idle-timeout", "0.1"]);
    await serve.shows(/appServer\.started/, "stdout");
    expect(lastJson((await cli(world, ["ensure", "--json"])).stdout)).toMatchObject({
      started: false,
    });
    const second = await cli(world, ["serve"]);
    expect(second.code).toBe(2);
    expect(second.stderr).toContain("--replace");
    serve.child.kill("SIGINT");
    const { code, stdout } = await serve.ended;
    expect(code).toBe(0);
    expect(lastJson(stdout)).toMatchObject({ obituary: { reason: "stopped" } });
    expect(livingBrokers(world.stateDir)).toEqual([]);
  });

  test("the first Ctrl-C lets turns finish, the second interrupts them", async () => {
    await using world = await makeWorld();
    const serve = startCli(world, ["serve"]);
    await serve.shows(/appServer\.started/, "stdout");
    const run = startCli(world, ["run", "--json", "silence"]);
    await eventually(() => world.model.requests.inFlight === 1, "the model is asked");
    serve.child.kill("SIGINT");
    await serve.shows(/waiting for 1 running turn/);
    serve.child.kill("SIGINT");
    expect((await serve.ended).code).toBe(0);
    expect((await run.ended).code).toBe(130);
  });

  test("--replace takes over, and the older broker steps down by itself", async () => {
    await using world = await makeWorld();
    await cli(world, ["ensure"]);
    const serve = startCli(world, ["serve", "--replace"]);
    await serve.shows(/appServer\.started/, "stdout");
    await eventually(() => livingBrokers(world.stateDir).length === 1, "the broker ends");
    expect(lastJson((await cli(world, ["status", "--json"])).stdout)["epoch"]).toBe(2);
    serve.child.kill("SIGTERM");
    expect((await serve.ended).code).toBe(0);
  });
});
