import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import type { BrokerClient } from "../../src/index.ts";
import { RawSession } from "../broker/raw-session.ts";
import { cli, jsonLines, privateEnvironment, Program } from "../cli/program.ts";
import { eventually } from "../support/eventually.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { startStranger } from "../support/stranger.ts";
import { livingBrokers } from "../support/stop-brokers.ts";
import { makeWorld, type World } from "../support/world.ts";

guardAgainstLeaks();

/** Many programs are started one after the other, and the machine may be busy. */
const LIMIT_MS = 90_000;

const SCRIPT = fileURLToPath(new URL("../fixtures/drop-in.mjs", import.meta.url));

/** The script as its host starts it: all it knows is what `codex-broker env` says. */
function start(world: World, client: BrokerClient, ...args: readonly string[]): Program {
  const CODEX_COMPANION_APP_SERVER_ENDPOINT = `unix:${client.record.current ?? ""}`;
  const env = { ...privateEnvironment(world), CODEX_COMPANION_APP_SERVER_ENDPOINT };
  return new Program(process.execPath, [SCRIPT, ...args], env, world.workspace);
}

describe("drop-in: scripts of the published plugin's kind", { timeout: LIMIT_MS }, () => {
  test("F32 F35: several at once, each with its own turn, and what they opted out of is not sent", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    const scripts = ["a", "b", "c"].map((name) =>
      start(world, client, "task", `hold: all ;; say: done ${name}`),
    );
    await eventually(() => world.model.requests.maxInFlight === 3, "all three run");
    world.model.release("all");
    const ends = await Promise.all(scripts.map(({ ended }) => ended));
    expect(ends.map(({ stdout }) => jsonLines(stdout).at(-1))).toEqual(
      ["a", "b", "c"].map((name) => ({
        status: "completed",
        message: `done ${name}`,
        othersHeard: [],
      })),
    );
    expect(livingBrokers(world.stateDir)).toHaveLength(1);
  });

  test("F36: a turn is interrupted from another connection", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    const running = start(world, client, "task", "slow: 400x50ms tick");
    await running.shows(/turnId/, "stdout");
    const { threadId, turnId } = jsonLines(running.stdout)[0] as Record<string, string>;
    const other = start(world, client, "interrupt", threadId!, turnId!);
    expect(jsonLines((await other.ended).stdout)).toEqual([{}]);
    expect(jsonLines((await running.ended).stdout)[1]).toMatchObject({ status: "interrupted" });
  });

  test("F26 F92: the end of one host's session ends nothing of others', and its path comes back", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    const running = start(world, client, "task", "slow: 40x50ms tick ;; say: not cut");
    await running.shows(/turnId/, "stdout");
    const ending = await start(world, client, "end").ended;
    expect(jsonLines(ending.stdout)).toEqual([{}]);
    await eventually(() => existsSync(client.record.current ?? ""), "the path is back", 1_000);
    const next = await start(world, client, "task", "say: next").ended;
    expect(jsonLines(next.stdout)[1]).toMatchObject({ status: "completed", message: "next" });
    expect(jsonLines((await running.ended).stdout)[1]).toMatchObject({ message: "not cut" });
    expect(livingBrokers(world.stateDir)).toHaveLength(1);
  });

  test("F35: a review is over when it says so, though it ends under another id than it began with", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    await using session = await RawSession.initialized(client.record.endpoint);
    const opened = await session.ask("thread/start", { ephemeral: true });
    const thread = opened.result?.["thread"] as { id: string };
    await session.ask("review/start", {
      threadId: thread.id,
      delivery: "inline",
      target: { type: "custom", instructions: "say: fine" },
    });
    await session.nextOf("turn/completed");
    await session.ask("thread/loaded/list");
    expect((await client.status()).turns).toEqual([]);
  });

  test("F22: the path leads to the successor after a rotation, and a turn that runs is not cut", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    const running = start(world, client, "task", "slow: 20x50ms tick ;; say: not cut");
    await running.shows(/turnId/, "stdout");
    const successor = await world.connect({ replace: true });
    successor.close();
    const next = await start(world, client, "task", "say: next").ended;
    expect(jsonLines(next.stdout)[1]).toMatchObject({ status: "completed", message: "next" });
    expect(jsonLines((await running.ended).stdout)[1]).toMatchObject({ message: "not cut" });
    await eventually(() => livingBrokers(world.stateDir).length === 1, "the older broker ends");
  });
});

test(
  "F92: what the environment names as an endpoint, a pid or a log is neither ended nor removed",
  { timeout: LIMIT_MS },
  async () => {
    await using world = await makeWorld();
    const stranger = await startStranger();
    const endpoint = join(world.home.path, "s");
    const [pidFile, logFile] = [join(world.home.path, "pid"), join(world.home.path, "log")];
    const server = createServer().listen(endpoint);
    await once(server, "listening");
    writeFileSync(pidFile, `${stranger.pid}\n`);
    writeFileSync(logFile, "a log\n");
    const env = {
      CODEX_COMPANION_APP_SERVER_ENDPOINT: `unix:${endpoint}`,
      CODEX_COMPANION_APP_SERVER_PID_FILE: pidFile,
      CODEX_COMPANION_APP_SERVER_LOG_FILE: logFile,
    };
    for (const command of [
      ["stop"],
      ["ensure"],
      ["rotate"],
      ["run", "say: hi"],
      ["stop", "--force"],
    ]) {
      expect(await cli(world, command, { env })).toMatchObject({ code: 0 });
    }
    expect(stranger.alive()).toBe(true);
    expect(server.listening && existsSync(endpoint)).toBe(true);
    expect(readFileSync(pidFile, "utf8")).toBe(`${stranger.pid}\n`);
    expect(readFileSync(logFile, "utf8")).toBe("a log\n");
    server.close();
    await stranger.end();
  },
);
