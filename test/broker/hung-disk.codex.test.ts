import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readEpoch } from "../../src/lifecycle/epoch-file.ts";
import { scopeDir } from "../client/job-states.ts";
import { eventually } from "../support/eventually.ts";
import { CAN_HANG, hangDirectories } from "../support/hung-disk.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { realCodex } from "../support/real-codex.ts";
import { stopBrokers } from "../support/stop-brokers.ts";
import { makeTempDir, type TempDir } from "../support/temp-dir.ts";
import { makeWorld, type World } from "../support/world.ts";

guardAgainstLeaks();

/**
 * Makes a world whose codex lies in a directory of its own, and whose turns work in another place than
 * the workspace. Codex would note in its configuration that it works in a place that is not trusted.
 */
async function makeWorldOf(bin: TempDir, elsewhere: TempDir): Promise<World> {
  const codex = join(bin.path, "codex");
  await writeFile(codex, `#!/bin/sh\nexec '${realCodex().native}' "$@"\n`, { mode: 0o755 });
  return await makeWorld({ codex, config: { trusted: [elsewhere.path] } });
}

describe.skipIf(!CAN_HANG)("a disk that hangs", () => {
  test.each<[what: string, parts: ReadonlyArray<"workspace" | "codex">]>([
    ["the workspace", ["workspace"]],
    ["the codex binary", ["codex"]],
    ["both", ["workspace", "codex"]],
  ])(
    "F121: with %s on it holds up no turn, no job and no answer, and the broker can be stopped",
    { timeout: 60_000 },
    async (_what, parts) => {
      await using bin = await makeTempDir();
      await using elsewhere = await makeTempDir();
      await using world = await makeWorldOf(bin, elsewhere);
      const client = await world.connect();
      const scope = scopeDir(world);
      const places = { workspace: world.workspace, codex: bin.path };
      using hung = hangDirectories(parts.map((part) => places[part]));
      // Longer than three looks of the broker at its surroundings.
      const cwd = elsewhere.path;
      const turn = client.runTurn({ cwd, prompt: "slow: 80x100ms tick ;; say: whole" });
      const job = await client.request("broker/job/start", { cwd, prompt: "say: done" });
      expect((await turn.result).message).toContain("whole");
      await eventually(async () => {
        const { jobs } = await client.status();
        return jobs.every((each) => each.job !== job.job);
      }, "the job has ended");
      const { pid } = await client.status();
      client.close();
      await stopBrokers(world.stateDir);
      expect(hung.lasts).toBe(true);
      const reading = readEpoch(scope, 1);
      expect(reading).toMatchObject({
        record: { state: "ended", reason: "stopped by force", broker: { pid }, abnormal: false },
      });
    },
  );

  test("F121: is no proof that the workspace is gone, and its removal is still noticed afterwards", async () => {
    await using bin = await makeTempDir();
    await using elsewhere = await makeTempDir();
    await using world = await makeWorldOf(bin, elsewhere);
    await using client = await world.connect();
    const scope = scopeDir(world);
    using hung = hangDirectories([world.workspace]);
    await client.runTurn({ cwd: elsewhere.path, prompt: "slow: 60x100ms tick" }).result;
    expect((await client.status()).state).toBe("serving");
    expect(hung.lasts).toBe(true);
    hung[Symbol.dispose]();
    await rm(world.workspace, { recursive: true });
    await eventually(() => {
      expect(hung.lasts).toBe(true);
      const reading = readEpoch(scope, 1);
      return reading?.state === "read" && reading.record.state === "ended";
    }, "the broker has ended");
    expect(readEpoch(scope, 1)).toMatchObject({ record: { reason: "the workspace is gone" } });
  });
});
