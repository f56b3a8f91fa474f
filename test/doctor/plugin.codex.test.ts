import { existsSync, readFileSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { describe, expect, test, vi } from "vitest";
import { mendAll } from "../../src/doctor/mend.ts";
import type { Finding } from "../../src/doctor/finding.ts";
import type { Mended } from "../../src/doctor/remedy.ts";
import { optionsIn } from "../../src/doctor/plugin/processes.ts";
import { provenDescendants } from "../../src/os/kill-tree.ts";
import { socketsIn } from "../../src/os/unix-sockets.ts";
import { stillRuns } from "../../src/os/process-tree.ts";
import { soon } from "./soon.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { startStranger } from "../support/stranger.ts";
import { IS_PUBLISHED, makePluginWorld } from "./plugin-world.ts";

guardAgainstLeaks();
// Many whole programs in a row, on a machine that may be doing other things as well.
vi.setConfig({ testTimeout: 120_000 });

async function mend(findings: readonly Finding[]): Promise<Mended | undefined> {
  return (await mendAll(findings, () => {}))[0]?.mended;
}

describe("a broker of the published plugin that is proven and idle", () => {
  test("F17 S4: and leaked is asked to end, and its own files go with it", async () => {
    await using plugin = await makePluginWorld();
    const broker = await plugin.start();
    const family = provenDescendants(broker.identity);
    expect(family).not.toEqual([]);
    // From another directory too: nobody but its command line leads to it.
    const found = await plugin.examine(broker.pid, "/");
    expect(found).toMatchObject([{ code: "pluginBrokerIdle", details: { record: null } }]);
    expect(await mend(found)).toMatchObject({ done: true, did: expect.stringContaining("asked") });
    expect(broker.isAlive()).toBe(false);
    await soon(() => !family.some(stillRuns), "so is its app-server");
    expect(existsSync(broker.sessionDir)).toBe(false);
  });

  test("and recorded is left to its plugin, but for the workspace that it is of", async () => {
    await using plugin = await makePluginWorld();
    const broker = await plugin.start();
    const record = plugin.record(broker);
    const [elsewhere] = await plugin.examine(broker.pid, "/");
    expect(elsewhere).toMatchObject({ code: "pluginBrokerKept", details: { record } });
    expect(elsewhere?.remedy).toBeUndefined();
    const found = await plugin.examine(broker.pid);
    expect(found).toMatchObject([{ code: "pluginBrokerKept", severity: "note" }]);
    expect((await mend(found))?.done).toBe(true);
    expect(broker.isAlive()).toBe(false);
    expect(existsSync(record)).toBe(false);
  });

  test("F11: and without an app-server runs no turn, whatever its socket does", async () => {
    await using plugin = await makePluginWorld();
    const broker = await plugin.start();
    for (const { pid } of provenDescendants(broker.identity)) process.kill(pid, "SIGKILL");
    await soon(() => provenDescendants(broker.identity).length === 0, "it is alone");
    const found = await plugin.examine(broker.pid);
    expect(found[0]?.message).toContain("its app-server has gone");
    expect((await mend(found))?.done).toBe(true);
    expect(broker.isAlive()).toBe(false);
  });

  // The published one has no such knob.
  test.skipIf(IS_PUBLISHED)(
    "F14: and does not end when it is asked to is ended by proof",
    async () => {
      await using plugin = await makePluginWorld();
      const broker = await plugin.start({ STAND_IN_DEAF: "1" });
      const family = provenDescendants(broker.identity);
      const found = await plugin.examine(broker.pid);
      expect(await mend(found)).toEqual({
        done: true,
        did: `ended process ${broker.pid} by proof`,
      });
      await soon(() => !family.some(stillRuns), "its app-server is ended");
      expect(existsSync(broker.sessionDir)).toBe(false);
    },
  );
});

describe("a broker of the published plugin that may be at work", () => {
  test("F26: with a client connected it is not even asked", async () => {
    await using plugin = await makePluginWorld();
    const broker = await plugin.start();
    const client = await broker.connect();
    const [found] = await plugin.examine(broker.pid);
    expect(found).toMatchObject({ code: "pluginBrokerBusy" });
    expect(found?.message).toContain("a client is connected");
    expect(found?.remedy).toBeUndefined();
    client.hangUp();
    await soon(
      async () => (await plugin.examine(broker.pid))[0]?.code === "pluginBrokerIdle",
      "it is idle",
    );
  });

  test("F26 F29: a turn whose client has hung up goes on in it, and so does the broker", async () => {
    await using plugin = await makePluginWorld();
    const { model, workspace } = plugin.world;
    const broker = await plugin.start();
    const idle = await plugin.examine(broker.pid);
    expect(idle).toMatchObject([{ code: "pluginBrokerIdle" }]);
    const client = await broker.connect();
    await client.startTurn(workspace, "hold: gate ;; say: finished");
    await soon(() => model.requests.inFlight === 1, "the model is asked");
    client.hangUp();
    await soon(
      async () =>
        (await plugin.examine(broker.pid))[0]?.message.includes("a turn runs in it") === true,
      "the turn is seen",
    );
    // What was idle when it was looked at is looked at again before anything is done.
    expect(await mend(idle)).toEqual({ done: false, did: "a turn runs in it" });
    expect(broker.isAlive()).toBe(true);
    expect(model.requests.inFlight).toBe(1);
    model.release("gate");
    await soon(
      async () => (await plugin.examine(broker.pid))[0]?.code === "pluginBrokerIdle",
      "it is idle again",
    );
    expect((await mend(idle))?.done).toBe(true);
  });
});

describe("what is in doubt", () => {
  test.each(["gone", "another's"])(
    "F16 F17 S5: a broker whose pid file is %s is told of, and left alone",
    async (how) => {
      await using plugin = await makePluginWorld();
      const broker = await plugin.start();
      const idle = await plugin.examine(broker.pid);
      if (how === "gone") unlinkSync(broker.pidFile);
      else writeFileSync(broker.pidFile, `${process.pid}\n`);
      const [found] = await plugin.examine(broker.pid);
      expect(found).toMatchObject({ code: "pluginBrokerUnproven" });
      expect(found?.next).toContain(`kill ${broker.pid}`);
      expect(found?.remedy).toBeUndefined();
      expect((await mend(idle))?.done).toBe(false);
      expect(broker.isAlive()).toBe(true);
    },
  );

  test("F08: one whose directory is gone cannot be asked, and is left alone", async () => {
    await using plugin = await makePluginWorld();
    const broker = await plugin.start();
    rmSync(broker.sessionDir, { recursive: true });
    expect(await plugin.examine(broker.pid)).toMatchObject([{ code: "pluginBrokerUnproven" }]);
    expect(broker.isAlive()).toBe(true);
  });

  test("F16 S5: a process with the very command line of a broker is not that broker", async () => {
    await using plugin = await makePluginWorld();
    const broker = await plugin.start();
    const line = readFileSync(`/proc/${broker.pid}/cmdline`, "utf8").split("\0").slice(2, -1);
    const script = fileURLToPath(
      new URL("../fixtures/plugin/decoy/app-server-broker.mjs", import.meta.url),
    );
    const decoy = spawn(process.execPath, [script, ...line], { stdio: "ignore" });
    await once(decoy, "spawn");
    const pid = decoy.pid ?? 0;
    await soon(async () => (await plugin.examine(pid)).length > 0, "it is seen");
    const [found] = await plugin.examine(pid);
    expect(found).toMatchObject({ code: "pluginBrokerUnproven" });
    expect(found?.message).toContain("is another process");
    expect((await mend(await plugin.examine(broker.pid)))?.done).toBe(true);
    expect(decoy.exitCode).toBeNull();
    decoy.kill("SIGKILL");
    await once(decoy, "exit");
  });

  test("F16 F92: a record that names a stranger gives no right to anything", async () => {
    await using plugin = await makePluginWorld();
    const stranger = await startStranger();
    const record = plugin.record({ pid: stranger.pid, socket: "/nowhere/broker.sock" });
    const found = await plugin.examine(stranger.pid);
    expect(found).toMatchObject([{ code: "pluginRecordStale", severity: "note" }]);
    expect(await mend(found)).toBeUndefined();
    expect(stranger.alive()).toBe(true);
    expect(existsSync(record)).toBe(true);
    await stranger.end();
  });
});

describe("what it is known by", () => {
  test("only the command line that the plugin gives its broker", () => {
    const argv = (text: string): string[] => text.split(" ");
    const good =
      "node /p/app-server-broker.mjs serve --endpoint unix:/t/s --cwd /w --pid-file /t/p";
    expect(optionsIn(argv(good))).toEqual({
      script: "/p/app-server-broker.mjs",
      socket: "/t/s",
      pidFile: "/t/p",
      cwd: "/w",
    });
    for (const bad of [
      good.replace("serve", "status"),
      good.replace("app-server-broker.mjs", "other.mjs"),
      good.replace("--pid-file /t/p", ""),
      good.replace("unix:/t/s", "/t/s"),
      good.replace("unix:/t/s", "unix:t/s"),
      "grep app-server-broker.mjs serve",
      "node",
    ]) {
      expect(optionsIn(argv(bad))).toBeUndefined();
    }
  });

  test("the kernel's table of sockets", () => {
    const table = [
      "Num       RefCount Protocol Flags    Type St Inode Path",
      "0000000000000000: 00000002 00000000 00010000 0001 01 2117 /tmp/cxc-a b/broker.sock",
      "0000000000000000: 00000003 00000000 00000000 0001 03  211 /tmp/cxc-a b/broker.sock",
      "0000000000000000: 00000003 00000000 00000000 0001 02    9 /tmp/cxc-a b/broker.sock",
      "0000000000000000: 00000003 00000000 00000000 0001 03 2118",
      "0000000000000000: 00000003 00000000 00000000 0001 03 2119 /tmp/other.sock",
    ].join("\n");
    expect(socketsIn(table, "/tmp/cxc-a b/broker.sock")).toEqual({
      listener: "2117",
      connections: 2,
    });
    expect(socketsIn(table, "/tmp/none")).toEqual({ listener: undefined, connections: 0 });
  });
});
