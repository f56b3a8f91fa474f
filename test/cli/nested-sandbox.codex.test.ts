import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { makeRepository } from "../support/git-repository.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeWorld, type World } from "../support/world.ts";
import { CLI, lastJson, privateEnvironment, Program, type Ended } from "./program.ts";

guardAgainstLeaks();

/** What a container, or the sandbox of a host, does to a sandbox inside: there are no namespaces left. */
const FORBID = "echo 0 >/proc/sys/user/max_user_namespaces";
const CAN_FORBID = spawnSync("unshare", ["-Ur", "sh", "-c", FORBID]).status === 0;

/** Runs the command, and with it the broker and Codex, where no sandbox can be set up. */
async function nested(world: World, args: readonly string[]): Promise<Ended> {
  const line = ["-Ur", "sh", "-c", `${FORBID} && exec "$@"`, "sh", process.execPath, CLI, ...args];
  const program = new Program("unshare", line, privateEnvironment(world), world.workspace);
  program.child.stdin.end();
  return await program.ended;
}

describe.runIf(CAN_FORBID)("where no sandbox can be set up", () => {
  test("F84: a review says so and asks the model nothing; without a sandbox it does its work", async () => {
    await using world = await makeWorld();
    makeRepository(world.workspace).write("new.txt", "");
    const { code, stdout, stderr } = await nested(world, ["review", "--json"]);
    expect(code).toBe(3);
    expect(lastJson(stdout)).toMatchObject({ error: { kind: "sandboxUnusable" } });
    expect(stderr).toContain("Creating new namespace failed");
    expect(stderr).toContain("--sandbox danger-full-access");
    expect(world.model.requests.total).toBe(0);
    world.model.answer(/^Review the /, "shell: git status --short ;; say: nothing wrong");
    const free = await nested(world, ["review", "--sandbox", "danger-full-access"]);
    expect(free).toMatchObject({ code: 0, stdout: "nothing wrong\n" });
    expect(free.stderr).toContain("exit 0");
  });

  test("F84: a run says it once, however many commands fail for it", async () => {
    await using world = await makeWorld();
    const prompt = "shell: true ;; shell: true ;; say: nothing worked";
    const { code, stdout, stderr } = await nested(world, ["run", "--sandbox", "read-only", prompt]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: "nothing worked\n" });
    expect(stderr.match(/sandbox cannot be set up here/g)).toHaveLength(1);
    expect(stderr).toContain("--sandbox danger-full-access");
    const free = await nested(world, ["run", "shell: true ;; say: all worked"]);
    expect(free.stderr).not.toContain("cannot be set up");
  });

  test("F84: setup tells of it, also where only a review would need it", async () => {
    await using world = await makeWorld({ config: { sandboxMode: "read-only" } });
    const { code, stdout } = await nested(world, ["setup"]);
    expect(code).toBe(6);
    expect(stdout).toMatch(/✗ sandbox {2}Codex's sandbox cannot be set up here: bwrap: /);
    await world.home.configure({ modelUrl: world.model.url, trusted: [world.workspace] });
    const free = await nested(world, ["setup"]);
    expect(free.code).toBe(0);
    expect(free.stdout).toContain("reviews need --sandbox danger-full-access");
  });
});
