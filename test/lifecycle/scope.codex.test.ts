import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { resolveScope } from "../../src/lifecycle/scope.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeWorld, type World } from "../support/world.ts";

guardAgainstLeaks();

test("a command that Codex runs finds the broker that its user has, and not one of its own", async () => {
  await using world = await makeWorld();
  const env = await environmentOfCommand(world);
  expect(env["CODEX_THREAD_ID"]).toBeDefined();
  const cwd = world.workspace;
  expect(resolveScope({ cwd, env }).key).toBe(resolveScope({ cwd, env: world.env }).key);
});

test("a command that Codex runs has the certificates that its user has given to Node, though the broker has not", async () => {
  const NODE_EXTRA_CA_CERTS = fileURLToPath(import.meta.url);
  await using world = await makeWorld({ env: { NODE_EXTRA_CA_CERTS } });
  expect(await environmentOfCommand(world)).toMatchObject({ NODE_EXTRA_CA_CERTS });
});

async function environmentOfCommand(world: World): Promise<NodeJS.ProcessEnv> {
  await using client = await world.connect();
  await client.runTurn({ prompt: "shell: env -0 > environment" }).result;
  const lines = readFileSync(join(world.workspace, "environment"), "utf8").split("\0");
  return Object.fromEntries(
    lines
      .filter((line) => line !== "")
      .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );
}
