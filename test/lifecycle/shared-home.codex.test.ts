import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { livingBrokers } from "../support/stop-brokers.ts";
import { makeTempDir } from "../support/temp-dir.ts";
import { makeWorld } from "../support/world.ts";

guardAgainstLeaks();

const WORKSPACES = 6;

test(
  "F81 F72: brokers of several workspaces start at the same instant on one CODEX_HOME that nobody has used",
  { timeout: 120_000 },
  async () => {
    await using world = await makeWorld();
    await using dir = await makeTempDir();
    const workspaces = Array.from({ length: WORKSPACES }, (_, i) => join(dir.path, `work${i}`));
    for (const workspace of workspaces) await mkdir(workspace);
    const clients = await Promise.all(
      workspaces.map((cwd) => world.connect({ cwd, startTimeoutMs: 90_000 })),
    );
    const results = await Promise.all(
      clients.map((client, i) => client.runTurn({ prompt: `say: ${i}` }).result),
    );
    expect(results.map(({ status, message }) => [status, message])).toEqual(
      workspaces.map((_, i) => ["completed", String(i)]),
    );
    expect(livingBrokers(world.stateDir)).toHaveLength(WORKSPACES);
    for (const client of clients) client.close();
  },
);
