import { dirname, join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { listEpochs } from "../../src/lifecycle/epoch-file.ts";
import { resolveScope } from "../../src/lifecycle/scope.ts";
import { CLI, cli, lastJson, privateEnvironment } from "../cli/program.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import type { Finished } from "../support/node-process.ts";
import { noSandbox, runSandboxed, type Denials } from "../support/sandbox.ts";
import { livingBrokers } from "../support/stop-brokers.ts";
import { makeWorld, type World } from "../support/world.ts";

guardAgainstLeaks();
vi.setConfig({ testTimeout: 120_000 });

if (noSandbox !== undefined) console.warn(`no sandbox was made: ${noSandbox}`);

/** The command as a host's sandbox would run it. */
async function within(
  denials: Denials,
  world: World,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<Finished> {
  return await runSandboxed(denials, [process.execPath, CLI, ...args], {
    env: { ...privateEnvironment(world), PWD: world.workspace, ...env },
    cwd: world.workspace,
    filterFile: join(world.home.path, "filter"),
  });
}

function epochsIn(world: World): number[] {
  return listEpochs(resolveScope({ cwd: world.workspace, env: world.env }).directory);
}

describe.skipIf(noSandbox !== undefined)("in a host's sandbox", () => {
  test.each(["connect", "socket"] as const)(
    "F83: %s denied: every command says so and names the socket, however often it is asked; nothing is started",
    async (call) => {
      await using world = await makeWorld();
      await cli(world, ["ensure"]);
      const [broker] = livingBrokers(world.stateDir);
      for (const name of ["ensure", "ensure", "status", "stop"]) {
        const { code, stdout } = await within({ calls: [call] }, world, [name, "--json"]);
        expect({ name, code }).toEqual({ name, code: 3 });
        const { error } = lastJson(stdout) as { error: { kind: string; message: string } };
        expect(error.kind).toBe("sandboxDenied");
      }
      const run = await within({ calls: [call] }, world, ["run", "say: hello"]);
      expect(run.code).toBe(3);
      expect(run.stderr).toContain(broker!.endpoint);
      expect(epochsIn(world)).toEqual([1]);
      expect(livingBrokers(world.stateDir)).toMatchObject([{ instance: broker!.instance }]);
    },
  );

  test.each(["connect", "socket"] as const)(
    "F83: %s denied and no broker there: none is started in vain, and the directory to allow is named",
    async (call) => {
      await using world = await makeWorld();
      for (const attempt of [1, 2, 3]) {
        const { code, stderr } = await within({ calls: [call] }, world, ["ensure"]);
        expect({ attempt, code }).toEqual({ attempt, code: 3 });
        expect(stderr).toContain(`does not allow a connection to sockets in ${world.stateDir}/run`);
        expect(stderr).toContain(
          `allow the sandbox to connect to sockets in ${world.stateDir}/run`,
        );
      }
      expect(epochsIn(world)).toEqual([]);
    },
  );

  test("F83: bind denied: whoever asks is told so each time and none is started in vain; a broker outside serves this sandbox too", async () => {
    await using world = await makeWorld();
    // More often than it takes for a crash loop, and none is started.
    for (const attempt of [1, 2, 3, 4, 5, 6, 7]) {
      const { code, stdout } = await within({ calls: ["bind"] }, world, ["ensure", "--json"]);
      expect({ attempt, code }).toEqual({ attempt, code: 3 });
      expect(lastJson(stdout)).toMatchObject({
        error: {
          kind: "sandboxDenied",
          message: expect.stringContaining(`listen on sockets in ${world.stateDir}/run`),
          hint: "Run `codex-broker ensure` outside the sandbox: its broker serves this place too.",
        },
      });
    }
    expect(epochsIn(world)).toEqual([]);
    expect(livingBrokers(world.stateDir)).toEqual([]);
    await cli(world, ["ensure"]);
    const run = await within({ calls: ["bind"] }, world, ["run", "-q", "say: hello"]);
    expect(run).toMatchObject({ code: 0, stdout: "hello\n" });
  });

  test("F83: a read-only home: the broker outside is used; without one, the reason is the disk and nothing is started", async () => {
    await using world = await makeWorld();
    await cli(world, ["ensure"]);
    const denials = { readOnly: [world.stateDir] };
    const run = await within(denials, world, ["run", "-q", "say: hello"]);
    expect(run).toMatchObject({ code: 0, stdout: "hello\n" });
    await cli(world, ["stop"]);
    for (const attempt of [1, 2]) {
      const { code, stdout } = await within(denials, world, ["ensure", "--json"]);
      expect({ attempt, code }).toEqual({ attempt, code: 3 });
      expect(lastJson(stdout)).toMatchObject({
        error: { kind: "stateDirUnusable", details: { errno: "EROFS" } },
      });
    }
    expect(epochsIn(world)).toEqual([1]);
  });

  test("F04 F85: another TMPDIR and a /tmp of its own for each call lead to the same broker", async () => {
    await using world = await makeWorld();
    await cli(world, ["ensure"]);
    // The project may lie there itself.
    const project = dirname(dirname(CLI));
    const seen = [project, dirname(world.workspace), world.home.path, world.stateDir];
    for (const TMPDIR of ["/tmp", "/var/tmp", join("/tmp", "x".repeat(120))]) {
      const env = { TMPDIR, TMP: TMPDIR, TEMP: TMPDIR };
      const { code, stdout } = await within({ ownTmp: seen }, world, ["ensure", "--json"], env);
      expect({ TMPDIR, code }).toEqual({ TMPDIR, code: 0 });
      expect(lastJson(stdout)).toMatchObject({ epoch: 1 });
    }
    expect(epochsIn(world)).toEqual([1]);
  });

  test("without /proc a broker is found and used, and nobody is taken for gone", async () => {
    await using world = await makeWorld();
    await cli(world, ["ensure"]);
    const run = await within({ noProc: true }, world, ["run", "-q", "say: hello"]);
    expect(run).toMatchObject({ code: 0, stdout: "hello\n" });
    expect(epochsIn(world)).toEqual([1]);
    expect(livingBrokers(world.stateDir)).toHaveLength(1);
  });

  test("F82: without /proc and without a broker, the reason is that; nothing goes on starting", async () => {
    await using world = await makeWorld();
    const { code, stderr } = await within({ noProc: true }, world, ["ensure"]);
    expect(code).toBe(3);
    expect(stderr).toContain("there is no /proc here, which it needs");
    expect(stderr).toContain("Run `codex-broker ensure` outside the sandbox");
    expect(livingBrokers(world.stateDir)).toEqual([]);
  });

  test("F84: where Codex cannot set up its own sandbox, the run says so once, and the doctor why", async () => {
    await using world = await makeWorld({ config: { sandboxMode: "read-only" } });
    const script = "shell: echo one ;; shell: echo two ;; say: done";
    const run = await within({ noNamespaces: true }, world, ["run", script]);
    expect(run).toMatchObject({ code: 0, stdout: "done\n" });
    expect(run.stderr.match(/sandbox cannot be set up here/g)).toHaveLength(1);
    const looked = await within({ noNamespaces: true }, world, ["doctor", "--json"]);
    const { findings } = lastJson(looked.stdout) as { findings: Array<{ code: string }> };
    expect(findings).toContainEqual(
      expect.objectContaining({
        code: "noSandboxHere",
        message: expect.stringContaining("namespace"),
        next: expect.stringContaining("`codex-broker ensure`"),
      }),
    );
    // The way out that is named: a broker that was started outside serves those inside as well.
    await within({ noNamespaces: true }, world, ["stop"]);
    await cli(world, ["ensure"]);
    const served = await within({ noNamespaces: true }, world, ["run", script]);
    expect(served.stderr).not.toContain("sandbox cannot be set up here");
    expect(served.stderr).toMatch(/exit 0 .*echo one/);
  });
});
