import { spawn, spawnSync } from "node:child_process";
import { chmodSync, closeSync, existsSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { listEpochs } from "../../src/lifecycle/epoch-file.ts";
import { resolveScope } from "../../src/lifecycle/scope.ts";
import { eventually } from "../support/eventually.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { inCodexSandbox, noCodexSandbox } from "../support/codex-sandbox.ts";
import { livingBrokers } from "../support/stop-brokers.ts";
import { startStranger } from "../support/stranger.ts";
import { makeTempDir } from "../support/temp-dir.ts";
import { makeWorld, type World } from "../support/world.ts";
import { CLI, cli, lastJson, privateEnvironment, Program, type Ended } from "./program.ts";

guardAgainstLeaks();
// Many whole programs in a row, on a machine that may be doing other things as well.
vi.setConfig({ testTimeout: 120_000 });

/** A process list of its own: whatever else this user runs is neither seen nor touched. */
const ALONE = ["--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc"];
const CAN_BE_ALONE = spawnSync("unshare", [...ALONE, "true"]).status === 0;

async function doctor(
  world: World,
  args: readonly string[] = [],
  env: NodeJS.ProcessEnv = {},
): Promise<Ended> {
  const whole = { ...privateEnvironment(world), ...env };
  const line = [...ALONE, process.execPath, CLI, "doctor", ...args];
  const program = new Program("unshare", line, whole, world.workspace);
  program.child.stdin.end();
  return await program.ended;
}

function codesIn({ stdout }: Ended): string[] {
  const { findings } = lastJson(stdout) as { findings: Array<{ code: string }> };
  return findings.map(({ code }) => code);
}

describe.skipIf(!CAN_BE_ALONE)("doctor", () => {
  test("where all is well says so, in a few lines, and ends with code 0", async () => {
    await using world = await makeWorld();
    await cli(world, ["ensure"]);
    const { code, stdout, stderr } = await doctor(world);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^✓ nothing is wrong/m);
    expect(stdout).toContain("1 broker answers");
    expect(stdout).toMatch(/codex 0\.169\.0 · \//);
    expect(stdout).not.toContain("\u001b");
    const json = await doctor(world, ["--json"]);
    expect(lastJson(json.stdout)).toMatchObject({ well: true });
    expect(codesIn(json)).toEqual(["stateDirChosen"]);
    expect(livingBrokers(world.stateDir)).toHaveLength(1);
  });

  test("looks without starting or making anything", async () => {
    await using world = await makeWorld();
    expect((await doctor(world)).code).toBe(0);
    expect(existsSync(world.stateDir)).toBe(false);
  });

  test("names what is wrong with codex, and goes on looking", async () => {
    await using world = await makeWorld({ env: { CODEX_BROKER_CODEX: "/nowhere/codex" } });
    const { code, stdout } = await doctor(world);
    expect(code).toBe(6);
    expect(stdout).toMatch(
      /^✗ The codex that CODEX_BROKER_CODEX names does not exist: .*\n {2}→ /m,
    );
    expect(stdout).toMatch(/^1 problem/m);
  });

  test("F91: refuses a relative state directory in words", async () => {
    await using world = await makeWorld({ env: { CODEX_BROKER_STATE_DIR: "state" } });
    const ended = await doctor(world, ["--json"]);
    expect(ended.code).toBe(6);
    expect(codesIn(ended)).toContain("stateDirRelative");
  });

  test("never shows what stands in auth.json", async () => {
    await using world = await makeWorld();
    const secret = "sk-very-secret";
    writeFileSync(join(world.home.path, "auth.json"), JSON.stringify({ OPENAI_API_KEY: secret }));
    for (const args of [[], ["--json"], ["--fix"]]) {
      const { stdout, stderr } = await doctor(world, args);
      expect(stdout + stderr).not.toContain(secret);
    }
  });

  test("--fix says of each finding what it did, and ends with code 0 when all is settled", async () => {
    await using world = await makeWorld();
    await cli(world, ["ensure"]);
    const { directory } = resolveScope({ cwd: world.workspace, env: world.env });
    chmodSync(directory, 0o755);
    const found = await doctor(world);
    expect(found.code).toBe(6);
    expect(found.stdout).toMatch(/^✗ .* is open to other users \(mode 755\)/m);
    expect(found.stdout).toContain("1 for codex-broker doctor --fix");
    const fixed = await doctor(world, ["--fix"]);
    expect(fixed.code).toBe(0);
    expect(fixed.stdout).toMatch(/^ {2}✓ closed /m);
    expect(fixed.stdout).toMatch(/^✓ 1 problem settled/m);
    expect((await doctor(world)).code).toBe(0);
  });

  test("F92: an endpoint from the environment gives no right to end or delete anything", async () => {
    await using world = await makeWorld();
    await using dir = await makeTempDir();
    const stranger = await startStranger();
    const socket = join(dir.path, "s.sock");
    const heard: string[] = [];
    const server = createServer((client) => {
      client.on("error", () => {});
      client.setEncoding("utf8").on("data", (text: string) => heard.push(text));
    }).listen(socket);
    await once(server, "listening");
    const pidFile = join(dir.path, "s.pid");
    const logFile = join(dir.path, "s.log");
    writeFileSync(pidFile, `${stranger.pid}\n`);
    writeFileSync(logFile, "log");
    const env = {
      CODEX_COMPANION_APP_SERVER_ENDPOINT: `unix:${socket}`,
      CODEX_COMPANION_APP_SERVER_PID_FILE: pidFile,
      CODEX_COMPANION_APP_SERVER_LOG_FILE: logFile,
    };
    await cli(world, ["ensure"], { env });
    await doctor(world, ["--fix"], env);
    await cli(world, ["rotate"], { env });
    await cli(world, ["stop"], { env });
    await cli(world, ["ensure"], { env });
    expect((await cli(world, ["stop", "--all"], { env })).code).toBe(0);
    expect(livingBrokers(world.stateDir)).toEqual([]);
    expect(heard).toEqual([]);
    expect(stranger.alive()).toBe(true);
    expect(readFileSync(pidFile, "utf8")).toBe(`${stranger.pid}\n`);
    expect(existsSync(logFile) && existsSync(socket)).toBe(true);
    server.close();
    await once(server, "close");
    const ended = await doctor(world, ["--json"], env);
    expect(codesIn(ended)).toContain("endpointVariableDead");
    await stranger.end();
  });
});

/**
 * As Codex runs the commands of its turns. The output goes to files: what Node calls a pipe is a pair
 * of sockets, which the sandbox hides from the program inside.
 */
async function sandboxed(world: World, codexHome: string, args: readonly string[]): Promise<Ended> {
  const inner = ["/usr/bin/env", `CODEX_HOME=${world.home.path}`, process.execPath, CLI, ...args];
  const files = [join(codexHome, "out"), join(codexHome, "err")] as const;
  const [out, err] = files.map((file) => openSync(file, "w"));
  const [command, ...before] = inCodexSandbox();
  const child = spawn(command, [...before, ...inner], {
    env: { ...privateEnvironment(world), CODEX_HOME: codexHome },
    cwd: world.workspace,
    stdio: ["ignore", out, err],
  });
  for (const descriptor of [out, err]) closeSync(descriptor!);
  const [code, signal] = (await once(child, "exit")) as [number | null, NodeJS.Signals | null];
  const [stdout, stderr] = files.map((file) => readFileSync(file, "utf8"));
  return { code, signal, stdout: stdout ?? "", stderr: stderr ?? "" };
}

const noSandbox = await noCodexSandbox();

describe.skipIf(noSandbox !== undefined)(`in Codex's own sandbox ${noSandbox ?? ""}`, () => {
  test("F83: a forbidden socket is reported as that by every command, and nothing is started", async () => {
    await using world = await makeWorld();
    await using home = await makeTempDir();
    await cli(world, ["ensure"]);
    const { directory } = resolveScope({ cwd: world.workspace, env: world.env });
    for (const name of ["ensure", "status", "stop"]) {
      const { code, stdout } = await sandboxed(world, home.path, [name, "--json"]);
      expect({ name, code }).toEqual({ name, code: 3 });
      expect(lastJson(stdout)).toMatchObject({ error: { kind: "sandboxDenied" } });
    }
    const looked = await sandboxed(world, home.path, ["doctor", "--json"]);
    expect(looked.code).toBe(6);
    expect(codesIn(looked)).toEqual(expect.arrayContaining(["sandboxDenied", "sandboxed"]));
    expect(codesIn(looked)).not.toContain("unprovableBroker");
    expect(listEpochs(directory)).toEqual([1]);
    expect(livingBrokers(world.stateDir)).toHaveLength(1);
  });

  test("F83: where no broker is there, the reason is given as the sandbox", async () => {
    await using world = await makeWorld();
    await using home = await makeTempDir();
    const { code, stderr } = await sandboxed(world, home.path, ["ensure"]);
    expect(code).toBe(3);
    expect(stderr).toContain("This is a sandbox");
    await eventually(() => livingBrokers(world.stateDir).length === 0, "nothing is started");
  });
});
