import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { createInterface } from "node:readline";
import { dirname, join } from "node:path";
import { stop } from "esbuild";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { epochPath, listEpochs } from "../../src/lifecycle/epoch-file.ts";
import { resolveScope } from "../../src/lifecycle/scope.ts";
import { publishOver } from "../../src/os/atomic-file.ts";
import { CLI, lastJson, privateEnvironment, Program, type Ended } from "../cli/program.ts";
import { eventually } from "../support/eventually.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { buildOther } from "../support/other-build.ts";
import { livingBrokers } from "../support/stop-brokers.ts";
import { makeWorld, type World } from "../support/world.ts";

guardAgainstLeaks();
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

let older: string;
let newer: string;
let nextProtocol: string;
let nextFormat: string;

beforeAll(async () => {
  [older, newer, nextProtocol, nextFormat] = await Promise.all([
    buildOther("older", { version: "0.0.1" }),
    buildOther("newer", { version: "99.0.0" }),
    buildOther("next-protocol", { version: "99.0.0", protocol: 2 }),
    buildOther("next-format", { version: "99.0.0", format: "v3" }),
  ]);
  await stop();
});

async function by(installation: string, world: World, args: readonly string[]): Promise<Ended> {
  const line = [installation, ...args];
  const program = new Program(process.execPath, line, privateEnvironment(world), world.workspace);
  program.child.stdin.end();
  return await program.ended;
}

/** Which broker that installation gets: its epoch and version. */
async function ensuredBy(installation: string, world: World): Promise<object> {
  const { stdout } = await by(installation, world, ["ensure", "--json"]);
  const { epoch } = lastJson(stdout);
  const record = livingBrokers(world.stateDir).find((each) => each.epoch === epoch);
  return { epoch, version: record?.versions.broker };
}

function epochsIn(world: World): number[] {
  return listEpochs(resolveScope({ cwd: world.workspace, env: world.env }).directory);
}

describe("two installations on one workspace", () => {
  test("a newer one replaces the broker of an older one once, and then both use that, never in turn", async () => {
    await using world = await makeWorld();
    expect(await ensuredBy(older, world)).toEqual({ epoch: 1, version: "0.0.1" });
    const shared = { epoch: 2, version: "99.0.0" };
    expect(await ensuredBy(newer, world)).toEqual(shared);
    for (const installation of [older, CLI, newer, older, newer]) {
      expect(await ensuredBy(installation, world)).toEqual(shared);
    }
    const turn = await by(older, world, ["run", "-q", "say: by the older one"]);
    expect(turn).toMatchObject({ code: 0, stdout: "by the older one\n" });
    expect(epochsIn(world)).toEqual([2, 1]);
  });

  test("a running turn of the older one's broker is not cut by the newer one", async () => {
    await using world = await makeWorld();
    const line = [older, "run", "-q", "hold: gate ;; say: to its end"];
    const run = new Program(process.execPath, line, privateEnvironment(world), world.workspace);
    run.child.stdin.end();
    await eventually(() => world.model.requests.inFlight === 1, "the model is asked", 60_000);
    expect(await ensuredBy(newer, world)).toEqual({ epoch: 2, version: "99.0.0" });
    world.model.release("gate");
    expect(await run.ended).toMatchObject({ code: 0, stdout: "to its end\n" });
  });

  test("one of a newer protocol replaces the broker; the older one is told, and starts nothing", async () => {
    await using world = await makeWorld();
    await ensuredBy(CLI, world);
    expect(await ensuredBy(nextProtocol, world)).toEqual({ epoch: 2, version: "99.0.0" });
    for (const args of [["ensure"], ["run", "-q", "say: hello"], ["status"]]) {
      const { code, stderr } = await by(CLI, world, args);
      expect({ args, code }).toEqual({ args, code: 3 });
      expect(stderr).toContain("the broker speaks protocol 2, this program 1");
      expect(stderr).toContain("Update the older side");
    }
    expect(await ensuredBy(nextProtocol, world)).toEqual({ epoch: 2, version: "99.0.0" });
    expect(epochsIn(world)).toEqual([2, 1]);
  });

  test("one of another format of epoch files lives beside: nobody touches anything of the other's", async () => {
    await using world = await makeWorld();
    const ours = lastJson((await by(CLI, world, ["ensure", "--json"])).stdout);
    const theirs = lastJson((await by(nextFormat, world, ["ensure", "--json"])).stdout);
    expect(theirs["epoch"]).toBe(1);
    expect(dirname(String(theirs["endpoint"]))).toBe(dirname(String(ours["endpoint"])));
    for (const installation of [CLI, nextFormat]) {
      const turn = await by(installation, world, ["run", "-q", "say: hello"]);
      expect(turn).toMatchObject({ code: 0, stdout: "hello\n" });
      expect((await by(installation, world, ["doctor", "--fix", "--json"])).stdout).not.toContain(
        '"code":"staleSocket"',
      );
    }
    const gone = await by(CLI, world, ["uninstall", "--yes", "--json"]);
    expect(gone.code).toBe(0);
    const { kept } = lastJson(gone.stdout) as { kept: Array<{ path: string }> };
    expect(kept.map(({ path }) => path)).toContain(join(world.stateDir, "v3"));
    const turn = await by(nextFormat, world, ["run", "-q", "say: still here"]);
    expect(turn).toMatchObject({ code: 0, stdout: "still here\n" });
    expect(await by(nextFormat, world, ["stop", "--all"])).toMatchObject({ code: 0 });
  });
});

describe("what a newer one adds", () => {
  test("fields of a record that are not known are no reason to replace its broker", async () => {
    await using world = await makeWorld();
    await ensuredBy(CLI, world);
    const { directory } = resolveScope({ cwd: world.workspace, env: world.env });
    const file = epochPath(directory, 1);
    const record = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
    const versions = { ...(record["versions"] as object), protocolOfTomorrow: 7 };
    // As a whole: its broker takes half a file for somebody else's, and steps down.
    publishOver(file, JSON.stringify({ ...record, versions, tomorrow: { nested: [1] } }));
    expect(await ensuredBy(CLI, world)).toMatchObject({ epoch: 1 });
    expect(await by(CLI, world, ["run", "-q", "say: all the same"])).toMatchObject({ code: 0 });
    expect(await by(CLI, world, ["stop"])).toMatchObject({ code: 0 });
    expect(epochsIn(world)).toEqual([1]);
  });

  test("params that are not known are passed over, and a verb that is not known is an error in words", async () => {
    await using world = await makeWorld();
    const { endpoint } = lastJson((await by(CLI, world, ["ensure", "--json"])).stdout);
    const socket = connect(String(endpoint));
    const answers = createInterface({ input: socket })[Symbol.asyncIterator]();
    const ask = async (message: object): Promise<Record<string, unknown>> => {
      socket.write(`${JSON.stringify(message)}\n`);
      for (;;) {
        const { value } = await answers.next();
        const said = JSON.parse(String(value)) as Record<string, unknown>;
        if ("id" in said) return said;
      }
    };
    const clientInfo = { name: "tomorrow", version: "99.0.0", colour: "blue" };
    const broker = { protocol: 1, nonce: "00", wish: ["a", "b"] };
    const hello = await ask({ id: 1, method: "initialize", params: { clientInfo, broker } });
    expect(hello).toMatchObject({ id: 1, result: { broker: { protocol: 1, state: "serving" } } });
    const health = await ask({ id: 2, method: "broker/health", params: { depth: 3 } });
    expect(health).toMatchObject({ id: 2, result: {} });
    const unknown = await ask({ id: 3, method: "broker/tomorrow", params: {} });
    expect(unknown).toMatchObject({ id: 3, error: { message: expect.any(String) } });
    socket.destroy();
  });
});
