import { describe, expect, test, vi } from "vitest";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeWorld, type World } from "../support/world.ts";
import { CLI, jsonLines, Program, privateEnvironment, type Ended } from "./program.ts";

guardAgainstLeaks();
vi.setConfig({ testTimeout: 120_000 });

/** Runs the command with so many descriptors at most. */
async function limited(world: World, most: number, ...args: readonly string[]): Promise<Ended> {
  const line = `ulimit -n ${most} && exec "$@"`;
  const words = ["-c", line, "sh", process.execPath, CLI, ...args];
  const program = new Program("/bin/sh", words, privateEnvironment(world), world.workspace);
  program.child.stdin.end();
  return await program.ended;
}

describe.skipIf(process.platform === "win32")("a process without descriptors left", () => {
  test.each([24, 26, 28, 30])(
    "with %i it ends with a typed error, and never as a defect (F155)",
    async (most) => {
      await using world = await makeWorld();
      for (const command of ["ensure", "doctor", "run", "jobs"]) {
        const words = command === "run" ? ["run", "hello", "--json"] : [command, "--json"];
        const { code, stdout, stderr } = await limited(world, most, ...words);
        expect(stderr).not.toMatch(/should not have happened|node:internal/);
        if (code === 0 || code === 6) continue;
        const { error } = jsonLines(stdout).at(-1) as { error: { kind: string } };
        // Codex's own database reports a lack of descriptors in words of its own.
        expect(["systemLimit", "appServerStartFailed"]).toContain(error.kind);
        if (error.kind === "systemLimit") expect(stderr).toContain("ulimit -n");
      }
    },
  );

  test("with 28 the doctor, which opens many files, names the limit and what to type (F155)", async () => {
    await using world = await makeWorld();
    const { code, stderr } = await limited(world, 28, "doctor");
    expect(code).toBe(3);
    expect(stderr).toContain("too many open files");
    expect(stderr).toContain("ulimit -n 1024");
  });
});
