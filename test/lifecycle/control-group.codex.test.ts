import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, describe, expect, test, vi } from "vitest";
import { CLI, cli, lastJson, privateEnvironment } from "../cli/program.ts";
import { eventually } from "../support/eventually.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { livingBrokers } from "../support/stop-brokers.ts";
import { makeWorld, type World } from "../support/world.ts";

guardAgainstLeaks();
vi.setConfig({ testTimeout: 60_000 });

const run = promisify(execFile);

/** A control group of our own, below ours; undefined where none is to be had. */
function makeGroup(): string | undefined {
  try {
    const mounted = /^\S+ \S+ \S+ \S+ (\S+) .* - cgroup2 /m.exec(
      readFileSync("/proc/self/mountinfo", "utf8"),
    )?.[1];
    const own = /^0::(.*)$/m.exec(readFileSync("/proc/self/cgroup", "utf8"))?.[1];
    if (mounted === undefined || own === undefined) return undefined;
    const group = join(mounted, own, `codex-broker-test-${process.pid}`);
    mkdirSync(group);
    if (existsSync(join(group, "cgroup.kill"))) return group;
    rmdirSync(group);
  } catch {
    // No such system, or not ours to change.
  }
  return undefined;
}

const group = makeGroup();
if (group === undefined) console.warn("no control group of our own is to be had");

/** Kills all who are in it, as a service manager does at the end of a unit. */
function killGroup(): void {
  writeFileSync(join(group!, "cgroup.kill"), "1");
}

async function within(world: World, args: readonly string[]): Promise<string> {
  const enter = 'echo $$ >"$0/cgroup.procs" && exec "$@"';
  const line = ["-c", enter, group!, process.execPath, CLI, ...args];
  const env = { ...privateEnvironment(world), PWD: world.workspace };
  return (await run("sh", line, { env, cwd: world.workspace })).stdout;
}

describe.skipIf(group === undefined)("a host that ends a whole control group", () => {
  afterAll(async () => {
    killGroup();
    await eventually(() => !readFileSync(join(group!, "cgroup.procs"), "utf8"), "it is empty");
    rmdirSync(group!);
  });

  test("F58: takes along the broker that was started in it; the next call gets another", async () => {
    await using world = await makeWorld();
    await within(world, ["ensure"]);
    await using client = await world.connect();
    expect(client.epoch).toBe(1);
    killGroup();
    expect(await client.closed).toMatchObject({ kind: "connectionLost" });
    await using next = await world.connect();
    expect(next.epoch).toBe(2);
  });

  test("F58: does not reach a broker that was started outside, whoever uses it from within", async () => {
    await using world = await makeWorld();
    await cli(world, ["ensure"]);
    expect(await within(world, ["run", "-q", "say: hello"])).toBe("hello\n");
    killGroup();
    const status = lastJson((await cli(world, ["status", "--json"])).stdout);
    expect(status).toMatchObject({ epoch: 1, state: "serving" });
    expect(livingBrokers(world.stateDir)).toHaveLength(1);
  });
});
