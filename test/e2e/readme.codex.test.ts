import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { runNode, type Finished } from "../support/node-process.ts";
import { makeWorld, type World } from "../support/world.ts";

guardAgainstLeaks();

const root = dirname(fileURLToPath(new URL("../../package.json", import.meta.url)));

/** The examples of the README, in a workspace that has this package. */
async function runExample(world: World, index: number): Promise<Finished> {
  const readme = await readFile(join(root, "README.md"), "utf8");
  const example = [...readme.matchAll(/```ts\n([^]*?)```/g)][index]?.[1];
  expect(example).toContain('from "codex-broker"');
  const modules = join(world.workspace, "node_modules");
  await mkdir(modules);
  await symlink(root, join(modules, "codex-broker"));
  const program = join(world.workspace, "example.mjs");
  await writeFile(program, example!);
  return await runNode([program], { ...world.env, PWD: world.workspace }, world.workspace);
}

test("the README's example runs as it stands there", async () => {
  await using world = await makeWorld();
  const { code, stdout, stderr } = await runExample(world, 0);
  expect({ code, stdout }).toEqual({
    code: 0,
    stdout: "completed You said: Say hello in one word.\n",
  });
  expect(stderr).toContain("hello");
});

test("F35: the README's example of a second program joins a turn that runs", async () => {
  await using world = await makeWorld();
  await using client = await world.connect();
  const turn = client.runTurn({
    prompt: "say: from the beginning ;; hold: gate ;; say: to the end",
  });
  for await (const event of turn) if (event.type === "message.delta") break;
  const second = runExample(world, 1);
  const audience = async (): Promise<number> =>
    (await client.status()).sessions.filter(({ threads }) => threads > 0).length;
  await eventually(async () => (await audience()) === 2, "the second program has joined");
  world.model.release("gate");
  expect(await turn.result).toMatchObject({ status: "completed" });
  expect(await second).toMatchObject({ code: 0, stdout: "from the beginningto the end" });
});
