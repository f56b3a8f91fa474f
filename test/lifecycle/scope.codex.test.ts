import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { resolveScope } from "../../src/lifecycle/scope.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeWorld } from "../support/world.ts";

guardAgainstLeaks();

test("a command that Codex runs finds the broker that its user has, and not one of its own", async () => {
  await using world = await makeWorld();
  await using client = await world.connect();
  await client.runTurn({ prompt: "shell: env -0 > environment" }).result;
  const inside = readFileSync(join(world.workspace, "environment"), "utf8")
    .split("\0")
    .filter((line) => line !== "")
    .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]);
  const env = Object.fromEntries(inside) as NodeJS.ProcessEnv;
  expect(env["CODEX_THREAD_ID"]).toBeDefined();
  const cwd = world.workspace;
  expect(resolveScope({ cwd, env }).key).toBe(resolveScope({ cwd, env: world.env }).key);
});
