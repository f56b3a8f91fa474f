import { rmSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { Deadline } from "../../src/base/deadline.ts";
import { claimEpoch, epochPath, readEpoch } from "../../src/lifecycle/epoch-file.ts";
import { resolveScope, type Scope } from "../../src/lifecycle/scope.ts";
import { spawnBroker } from "../../src/lifecycle/spawn-broker.ts";
import { DEFAULT_LIMITS } from "../../src/lifecycle/start-protocol.ts";
import { ensurePrivateDirectory } from "../../src/os/private-directory.ts";
import { eventually } from "../support/eventually.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { CAN_SEE_PROCESSES, markedProcesses } from "../support/marked-processes.ts";
import { makeWorld, type World } from "../support/world.ts";

guardAgainstLeaks();

function scopeOf(world: World): Scope {
  const scope = resolveScope({ cwd: world.workspace, env: world.env });
  const { stateDir, directory } = scope;
  for (const each of [stateDir, path.dirname(directory), directory]) ensurePrivateDirectory(each);
  return scope;
}

test.runIf(CAN_SEE_PROCESSES)(
  "a broker that cannot serve has ended its app-server before it says why",
  async () => {
    await using world = await makeWorld();
    const scope = scopeOf(world);
    const claim = claimEpoch(scope.directory, 0)!;
    rmSync(epochPath(scope.directory, 1));
    const order = { scope, claim, limits: DEFAULT_LIMITS };
    await expect(spawnBroker(order, Deadline.after(10_000), world.env)).rejects.toMatchObject({
      kind: "brokerStartFailed",
      message: "Epoch 1 was lost before the broker listened.",
    });
    const variable = `CODEX_HOME=${world.home.path}`;
    const left = await markedProcesses({ variable, dirs: [] });
    // The broker itself has only its exit before it.
    expect(left.filter(({ commandLine }) => commandLine.includes("app-server"))).toEqual([]);
    await eventually(
      async () => (await markedProcesses({ variable, dirs: [] })).length === 0,
      "the broker has ended",
    );
  },
);

test("the record of a broker names its app-server before that has answered", async () => {
  await using world = await makeWorld();
  const scope = scopeOf(world);
  const claim = claimEpoch(scope.directory, 0)!;
  await spawnBroker({ scope, claim, limits: DEFAULT_LIMITS }, Deadline.after(10_000), world.env);
  const reading = readEpoch(scope.directory, 1);
  const record = reading?.state === "read" ? reading.record : undefined;
  await using client = await world.connect();
  const { pid } = (await client.status()).appServer;
  expect(record).toMatchObject({ state: "serving", appServer: { pid } });
});
