import { spawn } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, stop } from "esbuild";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { stopAppServer, type StopLimits } from "../../src/app-server/stop-ladder.ts";
import { pause } from "../../src/base/deadline.ts";
import { lineOf } from "../../src/wire/line.ts";
import { isRunning, readStat } from "../../src/os/proc-stat.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { at, type Json } from "../support/json.ts";
import { makeTempDir, type TempDir } from "../support/temp-dir.ts";
import { pidOf, spawnFixture, spawnLines, type FixtureChild } from "./fixture-child.ts";

guardAgainstLeaks();

const SHORT: StopLimits = {
  stdinGraceMs: 300,
  termGraceMs: 300,
  killWaitMs: 2_000,
  sweepGraceMs: 300,
};

/** Where a child that has its stdin closed is given as long as a busy machine may need. */
const PATIENT: StopLimits = { ...SHORT, stdinGraceMs: 5_000, sweepGraceMs: 2_000 };

const ROLES = ["root", "plain", "shell", "tool", "orphan"];

const ON_LINUX = process.platform === "linux";

function isThere(pid: number): boolean {
  const stat = readStat(pid);
  return stat !== undefined && isRunning(stat);
}

async function familyPids(family: FixtureChild): Promise<number[]> {
  const pids = [];
  for (const role of ROLES) pids.push(await pidOf(family, role));
  return pids;
}

describe("the steps", () => {
  test("end a well-behaved one by the end of its stdin, after all that was sent", async () => {
    const { child, lines } = spawnLines({
      codex: process.execPath,
      args: ["-e", `process.stdin.on("data", (data) => process.stdout.write(data))`],
    });
    const line = `{"pad":"${"x".repeat(300_000)}"}`;
    child.send(lineOf(line));
    const { endedBy, exit } = await stopAppServer(child, PATIENT);
    expect(endedBy).toBe("stdin");
    expect(exit).toMatchObject({ code: 0, signal: null });
    expect(lines).toEqual([line]);
  });

  test("F19: end one that ignores its stdin by SIGTERM", async () => {
    const faults: unknown[] = [];
    const family = spawnFixture("stubborn.mjs", [], {
      onFault: (fault) => void faults.push(fault),
    });
    await family.seen(() => true);
    const limits = { ...SHORT, stdinGraceMs: 1_200, termGraceMs: 5_000 };
    const { endedBy, exit } = await stopAppServer(family.child, limits);
    expect(faults).toEqual([]);
    expect(endedBy).toBe("SIGTERM");
    expect(exit).toMatchObject({ code: null, signal: "SIGTERM" });
  });

  // On Windows nobody can ignore the second step.
  test.skipIf(process.platform === "win32")(
    "F19: end one that ignores SIGTERM too by SIGKILL, once its time is over",
    async () => {
      const family = spawnFixture("stubborn.mjs", ["--ignore-sigterm"]);
      await family.seen(() => true);
      const { endedBy, exit } = await stopAppServer(family.child, SHORT);
      expect(endedBy).toBe("SIGKILL");
      expect(exit).toMatchObject({ code: null, signal: "SIGKILL" });
    },
  );

  test.skipIf(process.platform === "win32")("F19: end one that is stopped by SIGKILL", async () => {
    const family = spawnFixture("stubborn.mjs");
    await family.seen(() => true);
    family.child.kill("SIGSTOP");
    expect(await stopAppServer(family.child, SHORT)).toMatchObject({ endedBy: "SIGKILL" });
  });

  test("do nothing to one that has already ended, or never began", async () => {
    const ended = spawnFixture("last-words.mjs", ["1", "7"]);
    await ended.child.exited;
    expect(await stopAppServer(ended.child)).toMatchObject({
      endedBy: "alreadyEnded",
      exit: { code: 7 },
    });
    const never = spawnLines({ codex: "/nonexistent/codex" });
    await never.child.exited;
    expect(await stopAppServer(never.child)).toMatchObject({ endedBy: "alreadyEnded" });
  });

  test("are gone once, however often they are asked for", async () => {
    const family = spawnFixture("stubborn.mjs");
    await family.seen(() => true);
    const first = stopAppServer(family.child, SHORT);
    expect(stopAppServer(family.child)).toBe(first);
    expect(stopAppServer(family.child, PATIENT)).toBe(first);
    const report = await first;
    expect(await stopAppServer(family.child)).toBe(report);
  });
});

describe.runIf(ON_LINUX)("what it leaves behind", () => {
  test("F18: is ended, in a session of its own or without a parent", async () => {
    const family = spawnFixture("parent.mjs");
    const pids = await familyPids(family);
    const report = await stopAppServer(family.child, PATIENT);
    expect(report).toMatchObject({
      endedBy: "stdin",
      sweep: { supported: true, found: 4, left: [] },
    });
    expect(pids.filter(isThere)).toEqual([]);
  });

  test("F18: is ended by SIGKILL when it ignores SIGTERM", async () => {
    const family = spawnFixture("parent.mjs", ["root", "--ignore-sigterm"]);
    const pids = await familyPids(family);
    const report = await stopAppServer(family.child, { ...PATIENT, sweepGraceMs: 300 });
    expect(report.sweep).toEqual({ supported: true, found: 4, left: [] });
    expect(pids.filter(isThere)).toEqual([]);
  });

  test("F18: is ended after a crash, as far as it was noted before", async () => {
    const family = spawnFixture("parent.mjs");
    const pids = await familyPids(family);
    const noted = family.child.descendants.note().map(({ pid }) => pid);
    expect(new Set(noted)).toEqual(new Set(pids.slice(1)));
    family.child.kill("SIGKILL");
    await family.child.exited;
    const report = await stopAppServer(family.child, PATIENT);
    expect(report).toMatchObject({ endedBy: "alreadyEnded", sweep: { found: 4, left: [] } });
    expect(pids.filter(isThere)).toEqual([]);
  });

  test("F16: is nobody else: neighbours and the test itself live on", async () => {
    const neighbour = spawn(process.execPath, ["-e", "setTimeout(() => {}, 60_000)"], {
      detached: true,
    });
    const family = spawnFixture("parent.mjs");
    await familyPids(family);
    const sibling = spawn(process.execPath, ["-e", "setTimeout(() => {}, 60_000)"]);
    await pause(100);
    await stopAppServer(family.child, PATIENT);
    for (const { pid = 0 } of [neighbour, sibling]) expect(isThere(pid)).toBe(true);
    neighbour.kill("SIGKILL");
    sibling.kill("SIGKILL");
  });
});

describe.runIf(ON_LINUX)("after a crash, a broker that leads its session", () => {
  let dir: TempDir;
  beforeEach(async () => void (dir = await makeTempDir()));
  afterEach(async () => await dir.remove());

  async function crash(noted: "noted" | "unnoted"): Promise<Json> {
    const outfile = join(dir.path, "leader.mjs");
    const fixture = (name: string): string =>
      fileURLToPath(new URL(`../fixtures/app-server/${name}`, import.meta.url));
    const entry = fixture("session-leader.ts");
    await build({ entryPoints: [entry], outfile, bundle: true, platform: "node", format: "esm" });
    await stop();
    const args = [outfile, fixture("parent.mjs"), String(ROLES.length), noted];
    const leader = spawn(process.execPath, args, {
      detached: true,
      stdio: ["ignore", "pipe", "inherit"],
    });
    let text = "";
    for await (const chunk of leader.stdout) text += String(chunk);
    return JSON.parse(text) as Json;
  }

  function pidsIn(result: Json, roles: readonly string[]): number[] {
    return [0, 1, 2, 3, 4]
      .map((index) => at(result, `lines.${index}`))
      .filter((line) => roles.some((role) => at(line, "role") === role))
      .map((line) => Number(at(line, "pid")));
  }

  test("F18: finds its orphans in that session even when nobody noted them", async () => {
    const result = await crash("unnoted");
    expect(at(result, "report.sweep")).toEqual({ supported: true, found: 1, left: [] });
    expect(pidsIn(result, ["plain"]).filter(isThere)).toEqual([]);
    // What leads a session of its own is out of reach then, and stays unharmed.
    const others = pidsIn(result, ["shell", "tool", "orphan"]);
    expect(others.filter(isThere)).toEqual(others);
    for (const pid of others) process.kill(pid, "SIGKILL");
  });

  test("F18: ends all that was noted", async () => {
    const result = await crash("noted");
    expect(at(result, "report.sweep")).toEqual({ supported: true, found: 4, left: [] });
    expect(pidsIn(result, ROLES).filter(isThere)).toEqual([]);
  });
});
