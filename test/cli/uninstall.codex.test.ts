import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { once } from "node:events";
import { describe, expect, test, vi } from "vitest";
import { changeSettings } from "../../src/cli/host/workspace-settings.ts";
import { epochPath } from "../../src/lifecycle/epoch-file.ts";
import { resolveScope } from "../../src/lifecycle/scope.ts";
import { eventually } from "../support/eventually.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { livingBrokers } from "../support/stop-brokers.ts";
import { makeWorld } from "../support/world.ts";
import { cli, lastJson, startCli } from "./program.ts";

guardAgainstLeaks();
vi.setConfig({ testTimeout: 120_000 });
const SOON_MS = 60_000;

describe("uninstall", () => {
  test("without --yes says what there is, and touches nothing", async () => {
    await using world = await makeWorld();
    await cli(world, ["ensure"]);
    const { pid } = livingBrokers(world.stateDir)[0]!.broker;
    const { code, stdout } = await cli(world, ["uninstall"]);
    expect(code).toBe(0);
    expect(stdout).toContain(`process ${pid}`);
    expect(stdout).toContain("→ codex-broker uninstall --yes");
    expect(livingBrokers(world.stateDir)).toHaveLength(1);
  });

  test("--json has one shape before --yes and with it (F180)", async () => {
    await using world = await makeWorld();
    await cli(world, ["ensure"]);
    const { pid } = livingBrokers(world.stateDir)[0]!.broker;
    const planned = lastJson((await cli(world, ["uninstall", "--json"])).stdout);
    expect(planned).toMatchObject({
      state: "planned",
      brokers: [{ state: "serving", workspace: world.workspace, epoch: 1, pid, turns: 0 }],
    });
    const done = lastJson((await cli(world, ["uninstall", "--yes", "--json"])).stdout);
    const keysOf = (result: Record<string, unknown>): string[][] => {
      const [broker] = result["brokers"] as object[];
      return [Object.keys(result), Object.keys(broker!)];
    };
    expect(keysOf(done)).toEqual(keysOf(planned));
  });

  test("ends every broker, the turns too that take too long, and leaves nothing", async () => {
    await using world = await makeWorld();
    await cli(world, ["ensure", "--label", "other"]);
    expect((await cli(world, ["run", "-q", "--background", "say: done"])).code).toBe(0);
    changeSettings(world.workspace, { jobsAtEnd: "cancel" }, world.env);
    await eventually(() => world.model.requests.inFlight === 0, "the job is done", SOON_MS);
    const run = startCli(world, ["run", "-q", "silence"]);
    await eventually(() => world.model.requests.inFlight === 1, "the model is asked", SOON_MS);
    const { code, stdout, stderr } = await cli(world, ["uninstall", "--yes", "--timeout", "1"]);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stderr).toContain("finishes 1 turn; they are interrupted after 1 s");
    expect(stdout.match(/^stopped /gm)).toHaveLength(2);
    expect(stdout).toContain("nothing is left");
    expect((await run.ended).code).toBe(130);
    expect(existsSync(world.stateDir)).toBe(false);
    const again = await cli(world, ["uninstall", "--yes", "--json"]);
    expect(again.code).toBe(0);
    expect(lastJson(again.stdout)).toMatchObject({ brokers: [], removed: [], kept: [] });
  });

  test("F93: removes what killed brokers have left, and keeps what is another's, with the reason", async () => {
    await using world = await makeWorld();
    await cli(world, ["ensure"]);
    const { broker, endpoint } = livingBrokers(world.stateDir)[0]!;
    process.kill(broker.pid, "SIGKILL");
    await eventually(() => livingBrokers(world.stateDir).length === 0, "it is gone");
    const { directory } = resolveScope({ cwd: world.workspace, env: world.env });
    const mine = join(world.stateDir, "notes.txt");
    const nextFormat = join(world.stateDir, "v9");
    writeFileSync(mine, "mine");
    mkdirSync(nextFormat);
    writeFileSync(`${epochPath(directory, 1)}.0123456789ab.tmp`, "{");
    const socket = join(dirname(endpoint), "0123456789ab.1.abcdef.sock");
    const server = createServer().listen(socket);
    await once(server, "listening");
    const { code, stdout } = await cli(world, ["uninstall", "--yes", "--json"]);
    expect(code).toBe(0);
    const { kept } = lastJson(stdout) as { kept: Array<{ path: string; why: string }> };
    expect(kept).toEqual([
      { path: socket, why: "a process listens there" },
      { path: mine, why: "no broker has put it there" },
      { path: nextFormat, why: "no broker has put it there" },
    ]);
    expect(readdirSync(world.stateDir).toSorted()).toEqual(["notes.txt", "run", "v9"]);
    expect(readdirSync(dirname(socket))).toEqual([socket.slice(dirname(socket).length + 1)]);
    server.close();
    await once(server, "close");
  });

  test("F24: a broker that hangs is named, and all of its workspace stays", async () => {
    await using world = await makeWorld();
    await cli(world, ["ensure"]);
    await cli(world, ["ensure", "--label", "other"]);
    const { directory } = resolveScope({ cwd: world.workspace, env: world.env });
    const [hung] = livingBrokers(world.stateDir).filter(
      ({ broker, epoch }) => existsSync(epochPath(directory, epoch)) && broker.pid > 0,
    );
    process.kill(hung!.broker.pid, "SIGSTOP");
    const { code, stdout } = await cli(world, ["uninstall", "--yes", "--json", "--timeout", "30"]);
    expect(code).toBe(5);
    const told = lastJson(stdout) as { brokers: Array<{ state: string }>; kept: unknown[] };
    expect(told.brokers.map(({ state }) => state).toSorted()).toEqual(["silent", "stopped"]);
    expect(told.kept).toContainEqual(
      expect.objectContaining({ why: expect.stringContaining(`process ${hung!.broker.pid}`) }),
    );
    expect(livingBrokers(world.stateDir)).toMatchObject([{ instance: hung!.instance }]);
  });
});
