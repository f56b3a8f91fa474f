import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { runNode } from "../support/node-process.ts";
import { makeWorld } from "../support/world.ts";

guardAgainstLeaks();

const root = dirname(fileURLToPath(new URL("../../package.json", import.meta.url)));

test("the README's example runs as it stands there", async () => {
  await using world = await makeWorld();
  const readme = await readFile(join(root, "README.md"), "utf8");
  const example = /```ts\n([^]*?)```/.exec(readme)?.[1];
  expect(example).toContain('from "codex-broker"');
  const modules = join(world.workspace, "node_modules");
  await mkdir(modules);
  await symlink(root, join(modules, "codex-broker"));
  const program = join(world.workspace, "example.mjs");
  await writeFile(program, example!);
  const { code, stdout, stderr } = await runNode(
    [program],
    { ...world.env, PWD: world.workspace },
    world.workspace,
  );
  expect({ code, stdout }).toEqual({
    code: 0,
    stdout: "completed You said: Say hello in one word.\n",
  });
  expect(stderr).toContain("hello");
});
