import { describe, expect, test } from "vitest";
import type { Figures } from "../../src/base/figures.ts";
import { stopBrokers } from "../support/stop-brokers.ts";
import { eventually } from "../support/eventually.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeWorld, type World } from "../support/world.ts";
import { cli, lastJson } from "./program.ts";

guardAgainstLeaks();

/** One turn of each kind, in one broker: the last one loses its app-server. */
async function turnsOfEachKind(world: World): Promise<void> {
  await using client = await world.connect();
  const statusOf = async (prompt: string): Promise<string> =>
    (await client.runTurn({ prompt }).result).status;
  expect(await statusOf("say: fine")).toBe("completed");
  expect(await statusOf("shell: true ;; say: fine")).toBe("completed");
  for (const prompt of ["quota", "http: 401", "http: 502", "http: 500", "drop", "drop"]) {
    expect(await statusOf(prompt)).toBe("failed");
  }
  const stopped = client.runTurn({ prompt: "silence" });
  await eventually(() => world.model.requests.inFlight === 1, "the model is asked");
  stopped.interrupt();
  expect((await stopped.result).status).toBe("interrupted");
  const { appServer } = await client.status();
  const lost = client.runTurn({ prompt: "silence" });
  const ended = lost.result.catch((error: unknown) => error);
  await eventually(() => world.model.requests.inFlight === 1, "the model is asked again");
  process.kill(appServer.pid!, "SIGKILL");
  expect(await ended).toMatchObject({ kind: "turnLost" });
}

const WANTED = {
  epochs: 1,
  turnsStarted: 10,
  ages: [
    {
      fromMs: 0,
      completed: 2,
      interrupted: 1,
      lost: 1,
      failed: {
        usageLimitExceeded: 1,
        "httpConnectionFailed 401": 1,
        "httpConnectionFailed 502": 1,
        internalServerError: 1,
        responseStreamDisconnected: 2,
      },
    },
  ],
};

describe("stats", () => {
  test("says so where there is nothing", async () => {
    await using world = await makeWorld();
    const { code, stdout } = await cli(world, ["stats"]);
    expect(code).toBe(0);
    expect(stdout).toContain("no figures yet");
    expect(lastJson((await cli(world, ["stats", "--json"])).stdout)).toMatchObject({
      total: { epochs: 0, turnsStarted: 0, ages: [] },
      scopes: [],
      silent: 0,
    });
  });

  test(
    "S13: turns of each kind, by the age of the broker, with the most that was used",
    { timeout: 90_000 },
    async () => {
      await using world = await makeWorld();
      await turnsOfEachKind(world);
      await stopBrokers(world.stateDir);
      const json = lastJson((await cli(world, ["stats", "--json"])).stdout);
      expect(json).toMatchObject({
        stateDir: world.stateDir,
        silent: 0,
        total: WANTED,
        scopes: [{ workspace: world.workspace, figures: WANTED }],
      });
      const { peaks, firstAnswerMs } = json["total"] as Figures;
      expect(peaks.rssBytes).toBeGreaterThan(50e6);
      expect(peaks.descriptors).toBeGreaterThan(10);
      expect(firstAnswerMs).toBeGreaterThan(0);
      const { stdout } = await cli(world, ["stats"]);
      expect(stdout).toContain("10 turns");
      expect(stdout).toMatch(/under 5 min\s+2\s+1\s+6\s+1\s+70 %/);
      expect(stdout).toMatch(/response stream disconnected\s+2\s+under 5 min/);
      expect(stdout).not.toContain("\u001b");
    },
  );

  test("S13: what still runs is counted with what has ended, over all workspaces", async () => {
    await using world = await makeWorld();
    const run = (label: string) => cli(world, ["run", "-q", "--label", label, "say: x"]);
    await run("a");
    await stopBrokers(world.stateDir);
    await run("a");
    await run("b");
    const json = lastJson((await cli(world, ["stats", "--json"])).stdout);
    expect(json).toMatchObject({
      total: { epochs: 3, turnsStarted: 3, ages: [{ completed: 3 }] },
      silent: 0,
    });
    const scopes = json["scopes"] as Array<{ figures: { turnsStarted: number } }>;
    expect(scopes.map(({ figures }) => figures.turnsStarted)).toEqual([2, 1]);
  });
});
