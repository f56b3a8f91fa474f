import { mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { epochPath, listEpochs, readEpoch } from "../../src/lifecycle/epoch-file.ts";
import { formatDirectory, scopeDirectory } from "../../src/lifecycle/state-directory.ts";
import { CLI, cli, lastJson, privateEnvironment, Program } from "../cli/program.ts";
import { makeBox, noBox, type Box } from "../support/box.ts";
import { inCodexSandbox, noCodexSandbox } from "../support/codex-sandbox.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeTempDir } from "../support/temp-dir.ts";
import { makeWorld, type World } from "../support/world.ts";

guardAgainstLeaks();
vi.setConfig({ testTimeout: 120_000 });

if (noBox !== undefined) console.warn(`no box was made: ${noBox}`);

const MACHINE_ID = "/etc/machine-id";

async function within(box: Box, world: World, args: readonly string[]): Promise<string> {
  const env = { ...privateEnvironment(world), PWD: world.workspace };
  const program = box.run(process.execPath, [CLI, ...args], { env, cwd: world.workspace });
  const { code, stdout, stderr } = await program.ended;
  expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
  return stdout;
}

function epochsByScope(world: World): Record<string, number[]> {
  const keys = readdirSync(formatDirectory(world.stateDir));
  return Object.fromEntries(
    keys.map((key) => [key, listEpochs(scopeDirectory(world.stateDir, key))]),
  );
}

describe.skipIf(noBox !== undefined)("places", () => {
  test("two containers with one home and different files at one path use two brokers (F125)", async () => {
    await using world = await makeWorld();
    await using dir = await makeTempDir();
    const boxes: Box[] = [];
    for (const hostname of ["boxA", "boxB"]) {
      const files = join(dir.path, hostname);
      mkdirSync(files);
      writeFileSync(join(files, "NAME"), `files of ${hostname}\n`);
      boxes.push(await makeBox({ hostname, mounts: [[files, world.workspace]] }));
    }
    const [boxA, boxB] = boxes as [Box, Box];
    await using _a = boxA;
    await using _b = boxB;
    const prompt = "shell: cat NAME; hostname";
    expect(await within(boxA, world, ["run", "-q", prompt])).toContain("files of boxA\nboxA");
    expect(await within(boxB, world, ["run", "-q", prompt])).toContain("files of boxB\nboxB");
    expect(Object.values(epochsByScope(world))).toEqual([[1], [1]]);
    for (const box of boxes) await within(box, world, ["stop"]);
  });

  test("two hosts with one home do not replace each other's brokers (F126)", async () => {
    await using world = await makeWorld();
    await using dir = await makeTempDir();
    const id = join(dir.path, "machine-id");
    writeFileSync(id, `${"0123456789abcdef".repeat(2)}\n`);
    await using other = await makeBox({ hostname: "other-host", mounts: [[id, MACHINE_ID]] });
    await using here = await makeBox({ hostname: "this-host" });
    for (const round of [1, 2, 3]) {
      for (const host of [here, other]) {
        expect(await within(host, world, ["run", "-q", `say: ${round}`])).toBe(`${round}\n`);
      }
    }
    expect(Object.values(epochsByScope(world))).toEqual([[1], [1]]);
    for (const host of [here, other]) await within(host, world, ["stop"]);
  });

  test("a host with another name, and namespaces over the same files, use one broker (F125, F127)", async () => {
    await using world = await makeWorld();
    const before = lastJson((await cli(world, ["ensure", "--json"])).stdout);
    await using renamed = await makeBox({ hostname: "name-from-dhcp" });
    const after = lastJson(await within(renamed, world, ["ensure", "--json"]));
    expect(after).toMatchObject({ instance: before["instance"], epoch: 1 });
    expect(await within(renamed, world, ["run", "-q", "say: the same"])).toBe("the same\n");
  });
});

test.skipIf(noBox !== undefined)(
  "a broker of a container that is gone ages out of the listings, and doctor --fix clears it (F127)",
  async () => {
    await using world = await makeWorld();
    const box = await makeBox({ hostname: "old-container" });
    const ensured = lastJson(await within(box, world, ["ensure", "--json"]));
    await within(box, world, ["run", "--background", "slow: 1000x100ms tick"]);
    await box[Symbol.asyncDispose]();
    const pid = Number(ensured["pid"]);
    const directory = scopeDirectory(world.stateDir, String(ensured["scope"]));
    const outputs = async (): Promise<string[]> => {
      const commands = [["ps"], ["jobs", "list"], ["stop", "--all"]];
      return await Promise.all(commands.map(async (args) => (await cli(world, args)).stdout));
    };

    const [ps, jobs, stop] = await outputs();
    expect(ps).toMatch(new RegExp(` silent +${pid} `));
    expect(jobs).toContain("unconfirmed");
    expect(stop).toContain("elsewhere");

    const twoDaysAgo = new Date(Date.now() - 48 * 3_600_000);
    const record = JSON.parse(readFileSync(epochPath(directory, 1), "utf8")) as object;
    const aged = { ...record, startedAt: twoDaysAgo.toISOString() };
    writeFileSync(epochPath(directory, 1), JSON.stringify(aged));
    utimesSync(epochPath(directory, 1), twoDaysAgo, twoDaysAgo);
    const [agedPs, agedJobs, agedStop] = await outputs();
    expect(agedPs).toContain("left out: 1 broker of another host or container");
    expect(agedPs).not.toContain("silent");
    expect(agedJobs).toMatch(/\blost\b/);
    expect(agedStop).toContain("nothing to stop");
    const lost = lastJson((await cli(world, ["jobs", "list", "--json"])).stdout);
    expect(JSON.stringify(lost)).toContain("without a sign of life since");

    const fixed = await cli(world, ["doctor", "--fix"]);
    expect(fixed.stdout).toContain("wrote its obituary");
    expect(readEpoch(directory, 1)).toMatchObject({
      record: { state: "ended", abnormal: false },
    });
    expect((await cli(world, ["ps"])).stdout).not.toContain("left out");
  },
);

const NO_CODEX_SANDBOX = await noCodexSandbox();

test.skipIf(NO_CODEX_SANDBOX !== undefined)(
  "a command inside Codex's own sandbox uses the broker of its user (F125)",
  async () => {
    await using world = await makeWorld();
    const before = lastJson((await cli(world, ["ensure", "--json"])).stdout);
    const [file, ...sandbox] = inCodexSandbox("workspace-write");
    const network = ["-c", "sandbox_workspace_write.network_access=true"];
    const line = [...sandbox.slice(0, -1), ...network, "--", process.execPath, CLI];
    const env = { ...privateEnvironment(world), PWD: world.workspace };
    const program = new Program(file, [...line, "ensure", "--json"], env, world.workspace);
    program.child.stdin.end();
    const { code, stdout } = await program.ended;
    expect(code).toBe(0);
    expect(lastJson(stdout)).toMatchObject({ instance: before["instance"], epoch: 1 });
  },
);
