import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { ensureBroker } from "../../src/lifecycle/ensure.ts";
import type { ServingRecord } from "../../src/lifecycle/epoch-file.ts";
import { asSuccessor } from "../../src/lifecycle/older-brokers.ts";
import { resolveScope } from "../../src/lifecycle/scope.ts";
import { livenessOf, identityOf } from "../../src/os/process-identity.ts";
import { eventually } from "../support/eventually.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { realCodex } from "../support/real-codex.ts";
import { livingBrokers } from "../support/stop-brokers.ts";
import { makeTempDir } from "../support/temp-dir.ts";
import { makeWorld, type World } from "../support/world.ts";
import { RawSession } from "./raw-session.ts";

guardAgainstLeaks();
vi.setConfig({ testTimeout: 120_000 });

const SOON_MS = 60_000;

interface Hanging extends AsyncDisposable {
  readonly world: World;
  /** The processes that were started as an app-server, in order. */
  pids(): number[];
  /** What is started from now on starts as usual. */
  release(): void;
}

/** A world whose codex hangs before its first line: it stops itself, and so reads no end of its stdin. */
async function hangingStart(): Promise<Hanging> {
  const dir = await makeTempDir();
  const codex = join(dir.path, "codex");
  const list = join(dir.path, "pids");
  const install = (hang: string): void => {
    const script = `#!/bin/sh\necho $$ >>'${list}'\n${hang}\nexec '${realCodex().native}' "$@"\n`;
    writeFileSync(codex, script, { mode: 0o755 });
  };
  install("kill -STOP $$");
  const world = await makeWorld({ codex });
  const pids = (): number[] => {
    if (!existsSync(list)) return [];
    return readFileSync(list, "utf8").split("\n").filter(Boolean).map(Number);
  };
  return {
    world,
    pids,
    release: () => install(""),
    async [Symbol.asyncDispose]() {
      for (const pid of pids().filter(isAlive)) process.kill(pid, "SIGKILL");
      await world[Symbol.asyncDispose]();
      await dir.remove();
    },
  };
}

function isAlive(pid: number): boolean {
  return livenessOf(identityOf(pid)) === "alive";
}

/** Begins a start that hangs, and leaves when the process is there. */
async function begin({ world, pids }: Hanging): Promise<{ pid: number; record: ServingRecord }> {
  const { workspace, env } = world;
  const scope = resolveScope({ cwd: workspace, env });
  const { record, link } = await ensureBroker({ scope, env, introduction: asSuccessor });
  link.connection.close();
  await eventually(() => pids().length === 1, "the app-server is spawned", SOON_MS);
  return { pid: pids()[0]!, record };
}

// Windows has nothing that stops a process.
describe.skipIf(process.platform === "win32")("an app-server whose start hangs", () => {
  test("stands in the record of its broker before it has answered (F122)", async () => {
    await using hanging = await hangingStart();
    const { pid } = await begin(hanging);
    const named = (): number | undefined =>
      livingBrokers(hanging.world.stateDir)[0]?.appServer?.pid;
    await eventually(() => named() === pid, "the record names the app-server");
  });

  test.each([{ force: false }, { force: true }])(
    "ends with a broker that is stopped with %o during the start (F122)",
    async (params) => {
      await using hanging = await hangingStart();
      const { pid, record } = await begin(hanging);
      await using session = await RawSession.open(record.endpoint);
      await session.ask("initialize", {
        clientInfo: { name: "raw", version: "0" },
        broker: { protocol: 1, nonce: "n" },
      });
      await session.ask("broker/stop", params);
      await eventually(
        () => livingBrokers(hanging.world.stateDir).length === 0,
        "it ends",
        SOON_MS,
      );
      expect(isAlive(pid)).toBe(false);
      expect(hanging.pids()).toEqual([pid]);
    },
  );

  test("ends with a broker that is superseded during the start (F122)", async () => {
    await using hanging = await hangingStart();
    const { pid } = await begin(hanging);
    hanging.release();
    await using client = await hanging.world.connect({ replace: true });
    expect(client.epoch).toBe(2);
    const living = (): number[] => livingBrokers(hanging.world.stateDir).map(({ epoch }) => epoch);
    await eventually(() => living().join() === "2", "the first broker ends", SOON_MS);
    expect(isAlive(pid)).toBe(false);
  });

  test("ends with a broker that gets SIGTERM during the start (F122)", async () => {
    await using hanging = await hangingStart();
    const { pid, record } = await begin(hanging);
    process.kill(record.broker.pid, "SIGTERM");
    await eventually(() => livingBrokers(hanging.world.stateDir).length === 0, "it ends", SOON_MS);
    expect(isAlive(pid)).toBe(false);
  });

  test("is ended by the successor of a broker that was killed during the start (F122)", async () => {
    await using hanging = await hangingStart();
    const { pid, record } = await begin(hanging);
    process.kill(record.broker.pid, "SIGKILL");
    hanging.release();
    await using _client = await hanging.world.connect();
    await eventually(() => !isAlive(pid), "the app-server is ended", SOON_MS);
  });
});
