import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  readFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { diagnose } from "../../src/doctor/diagnose.ts";
import type { Finding, FindingCode } from "../../src/doctor/finding.ts";
import { mendAll } from "../../src/doctor/mend.ts";
import type { Mended } from "../../src/doctor/remedy.ts";
import { observe } from "../../src/doctor/observe.ts";
import {
  epochPath,
  LAST_EPOCH,
  publishEpoch,
  readEpoch,
  type EndedRecord,
  type ServingRecord,
} from "../../src/lifecycle/epoch-file.ts";
import { formatDirectory, scopeDirectory } from "../../src/lifecycle/state-directory.ts";
import { identityOf, livenessOf } from "../../src/os/process-identity.ts";
import { provenDescendants } from "../../src/os/kill-tree.ts";
import { stillRuns } from "../../src/os/process-tree.ts";
import { servingRecord } from "../lifecycle/records.ts";
import { soon } from "./soon.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { MCP_SERVER_TABLE } from "../support/mcp-server.ts";
import { livingBrokers } from "../support/stop-brokers.ts";
import { startStranger } from "../support/stranger.ts";
import { makeWorld, type World } from "../support/world.ts";

guardAgainstLeaks();
// Many whole programs in a row, on a machine that may be doing other things as well.
vi.setConfig({ testTimeout: 120_000 });

const KEY = "0123456789abcdef".repeat(2);
const LONG_AGO = new Date(Date.now() - 3_600_000);

/** Without what is said of whoever else uses this machine, who must not be touched either. */
async function examine(world: World): Promise<Finding[]> {
  const seen = await observe({ cwd: world.workspace }, world.env);
  const expected: readonly FindingCode[] = ["stateDirChosen", "loginNotSeen"];
  return diagnose(seen).filter(
    ({ code }) => !code.startsWith("plugin") && !expected.includes(code),
  );
}

function codes(findings: readonly Finding[]): FindingCode[] {
  return findings.map(({ code }) => code);
}

async function mend(
  findings: readonly Finding[],
  onWait: (what: string) => void = () => {},
): Promise<Array<Mended | undefined>> {
  return (await mendAll(findings, onWait)).map(({ mended }) => mended);
}

function obituaryOf(scopeDir: string, epoch: number): EndedRecord | undefined {
  const reading = readEpoch(scopeDir, epoch);
  return reading?.state === "read" && reading.record.state === "ended" ? reading.record : undefined;
}

function scopeDirOf(world: World): string {
  const format = formatDirectory(world.stateDir);
  return join(format, readdirSync(format)[0]!);
}

/** Not its name: that is `node`, `MainThread` or `node-MainThread`, as each Node likes it. */
function commandLineOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}

describe("a broker that was killed", () => {
  test("F16 F17 F18 S4: its orphans are ended with all their helpers, and it gets its obituary", async () => {
    await using world = await makeWorld({ config: { tables: MCP_SERVER_TABLE } });
    const client = await world.connect();
    const turn = client.runTurn({ prompt: "shell: sleep 600" });
    const record = livingBrokers(world.stateDir)[0]!;
    const runs = (word: string): boolean =>
      provenDescendants(record.appServer!).some(({ pid }) => commandLineOf(pid).includes(word));
    await soon(() => runs("mcp-server") && runs("sleep"), "the MCP server and the command run");
    const helpers = provenDescendants(record.appServer!);
    // A stopped one does not notice that its broker goes.
    process.kill(record.appServer!.pid, "SIGSTOP");
    process.kill(record.broker.pid, "SIGKILL");
    await expect(turn.result).rejects.toThrow("lost");
    client.close();
    await soon(() => livenessOf(record.broker) === "gone", "the broker is gone");

    const found = await examine(world);
    expect(codes(found)).toEqual(["danglingCurrent", "orphanedAppServer", "staleEpoch"]);
    expect(found[1]?.details).toMatchObject({ descendants: helpers.length });
    const mended = await mend(found);
    expect(mended).toEqual([
      { done: true, did: "removed it" },
      { done: true, did: expect.stringContaining(`ended process ${record.appServer!.pid}`) },
      { done: true, did: "wrote its obituary" },
    ]);
    await soon(() => !helpers.some(stillRuns), "the helpers are gone");
    expect(livenessOf(record.appServer!)).toBe("gone");
    expect(obituaryOf(scopeDirOf(world), 1)).toMatchObject({ abnormal: true });
    expect(existsSync(record.endpoint)).toBe(false);
    expect(await examine(world)).toEqual([]);
  });
});

describe("a broker that does not answer", () => {
  test("F17 S5: is ended by proof after half a minute, and its obituary is written only then", async () => {
    await using world = await makeWorld();
    (await world.connect()).close();
    const record = livingBrokers(world.stateDir)[0]!;
    process.kill(record.broker.pid, "SIGSTOP");
    const found = await examine(world);
    expect(codes(found)).toEqual(["silentBroker"]);
    const waits: string[] = [];
    const mending = mend(found, (what) => {
      expect(obituaryOf(scopeDirOf(world), 1)).toBeUndefined();
      waits.push(what);
    });
    expect(await mending).toEqual([
      { done: true, did: expect.stringContaining("after 30 s of silence") },
    ]);
    expect(waits).toHaveLength(1);
    expect(livenessOf(record.broker)).toBe("gone");
    expect(obituaryOf(scopeDirOf(world), 1)?.reason).toContain("ended by codex-broker doctor");
    await soon(() => livenessOf(record.appServer!) === "gone", "so is its app-server");
  });

  test("F03: and answers while it is waited for, is let alone", async () => {
    await using world = await makeWorld();
    (await world.connect()).close();
    const { broker } = livingBrokers(world.stateDir)[0]!;
    process.kill(broker.pid, "SIGSTOP");
    const found = await examine(world);
    expect(codes(found)).toEqual(["silentBroker"]);
    const mended = await mend(found, () => process.kill(broker.pid, "SIGCONT"));
    expect(mended).toEqual([{ done: true, did: "it answers again" }]);
    expect(livenessOf(broker)).toBe("alive");
    expect(await examine(world)).toEqual([]);
  });
});

describe("strangers", () => {
  /** A record that no broker has written, and a stranger for it to name. */
  async function plant(
    world: World,
    recordOf: (pid: number) => Partial<ServingRecord>,
    mode = 0o700,
  ): Promise<AsyncDisposable & { readonly scopeDir: string; alive(): boolean }> {
    const stranger = await startStranger();
    const scopeDir = scopeDirectory(world.stateDir, KEY);
    mkdirSync(scopeDir, { recursive: true, mode: 0o700 });
    publishEpoch(scopeDir, servingRecord({ epoch: 1, ...recordOf(stranger.pid) }));
    chmodSync(scopeDir, mode);
    return {
      scopeDir,
      alive: () => stranger.alive(),
      async [Symbol.asyncDispose]() {
        rmSync(epochPath(scopeDir, 1));
        await stranger.end();
      },
    };
  }

  test("F16 S5: whoever has the number of a broker or an app-server by now survives", async () => {
    await using world = await makeWorld();
    await using planted = await plant(world, (pid) => {
      const recycled = { ...identityOf(pid), startTime: "1" };
      return { broker: recycled, appServer: recycled };
    });
    const found = await examine(world);
    expect(codes(found)).toEqual(["staleEpoch"]);
    expect((await mend(found))[0]?.done).toBe(true);
    expect(planted.alive()).toBe(true);
  });

  test("F95 S5: a broker of another host is explained, and neither signalled nor written up", async () => {
    await using world = await makeWorld();
    await using planted = await plant(world, (pid) => ({
      broker: { ...identityOf(pid), hostId: "another" },
      endpoint: join(world.stateDir, "none.sock"),
    }));
    const found = await examine(world);
    expect(codes(found)).toEqual(["unprovableBroker"]);
    expect(await mend(found)).toEqual([undefined]);
    expect(planted.alive()).toBe(true);
    expect(obituaryOf(planted.scopeDir, 1)).toBeUndefined();
  });

  test("F91: what stands in a directory that others can write to is not believed", async () => {
    await using world = await makeWorld();
    // All agrees, and it would be ended for its silence.
    await using planted = await plant(world, (pid) => ({ broker: identityOf(pid) }), 0o777);
    const found = await examine(world);
    expect(codes(found)).toEqual(["stateDirUnsafe"]);
    expect(found[0]?.details).toMatchObject({ path: planted.scopeDir, mode: "777" });
    expect(planted.alive()).toBe(true);
  });
});

describe("the file of the last epoch there is", () => {
  test("keeps every client from a broker until --fix moves it aside (F156)", async () => {
    await using world = await makeWorld();
    const client = await world.connect();
    client.close();
    const scopeDir = scopeDirOf(world);
    const last = epochPath(scopeDir, LAST_EPOCH);
    writeFileSync(last, "not a record", { mode: 0o600 });
    await expect(world.connect()).rejects.toMatchObject({
      kind: "stateDirUnusable",
      hint: expect.stringContaining("doctor --fix") as string,
    });
    const found = await examine(world);
    expect(codes(found)).toContain("lastEpoch");
    for (const { next } of found) expect(next).not.toContain("passes over it");
    const mended = await mend(found.filter(({ code }) => code === "lastEpoch"));
    expect(mended[0]).toMatchObject({ done: true, did: expect.stringContaining(last) as string });
    expect(existsSync(last)).toBe(false);
    const aside = readdirSync(scopeDir).find((name) => name.includes(".aside-"));
    expect(readFileSync(join(scopeDir, aside ?? ""), "utf8")).toBe("not a record");
    const next = await world.connect();
    expect(next.epoch).toBe(2);
    next.close();
    expect(codes(await examine(world))).not.toContain("lastEpoch");
  });
});

describe("left-overs", () => {
  test("what is provably ours and of no use is removed, and nothing else", async () => {
    await using world = await makeWorld();
    (await world.connect()).close();
    const run = join(world.stateDir, "run");
    const scopeDir = scopeDirOf(world);
    const name = (instance: string): string => join(run, `0123456789ab.3.${instance}.sock`);
    const stale = name("aaaaaa");
    const young = name("bbbbbb");
    const strange = join(run, "strange.sock");
    for (const socket of [stale, young, strange]) await leaveSocket(socket);
    const heard = createServer().listen(name("cccccc"));
    await once(heard, "listening");
    const current = join(run, "0123456789ab.current");
    symlinkSync(stale, current);
    const unfinished = join(scopeDir, "9.json.0123456789ab.tmp");
    writeFileSync(unfinished, "{");
    const note = join(scopeDir, "note.tmp");
    writeFileSync(note, "");
    for (const old of [stale, strange, name("cccccc"), unfinished, note]) {
      utimesSync(old, LONG_AGO, LONG_AGO);
    }
    const found = await examine(world);
    expect(codes(found)).toEqual(["leftOverSocket", "danglingCurrent", "unfinishedFile"]);
    for (const mended of await mend(found)) {
      expect(mended).toEqual({ done: true, did: "removed it" });
    }
    for (const removed of [stale, current, unfinished]) expect(existsSync(removed)).toBe(false);
    for (const kept of [young, strange, name("cccccc"), note]) expect(existsSync(kept)).toBe(true);
    expect(await examine(world)).toEqual([]);
    heard.close();
  });

  test("F91: a state directory that is open to others is closed first, and looked into after that", async () => {
    await using world = await makeWorld();
    (await world.connect()).close();
    await leaveSocket(join(world.stateDir, "run", "0123456789ab.3.aaaaaa.sock"));
    chmodSync(world.stateDir, 0o755);
    const found = await examine(world);
    expect(codes(found)).toEqual(["stateDirUnsafe"]);
    expect((await mend(found))[0]?.done).toBe(true);
    expect(statSync(world.stateDir).mode & 0o777).toBe(0o700);
    expect(await examine(world)).toEqual([]);
  });
});

/** A socket whose listener has gone without removing it. */
async function leaveSocket(path: string): Promise<void> {
  const aside = `${path}.aside`;
  const server = createServer().listen(aside);
  await once(server, "listening");
  // libuv removes the name it has bound when it closes; this one it does not know.
  renameSync(aside, path);
  server.close();
  await once(server, "close");
}
