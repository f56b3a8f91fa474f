import { describe, expect, test } from "vitest";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { livingBrokers } from "../support/stop-brokers.ts";
import { makeWorld, type World } from "../support/world.ts";
import { cli, lastJson } from "./program.ts";

guardAgainstLeaks();

async function begin(world: World, prompt: string): Promise<string> {
  const { code, stdout } = await cli(world, ["run", "--background", "--json", prompt]);
  expect(code).toBe(0);
  return String(lastJson(stdout)["job"]);
}

describe("run --background, and jobs", () => {
  test("F28: hands the turn over, says how to get at it, and its result comes by an abbreviated id", async () => {
    await using world = await makeWorld();
    const { code, stdout } = await cli(world, ["run", "--background", "say: the result"]);
    expect(code).toBe(0);
    const id = /job (\w{8}) has begun/.exec(stdout)?.[1] ?? "";
    expect(stdout).toContain(`codex-broker jobs wait ${id}`);
    const waited = await cli(world, ["jobs", "wait", id.slice(0, 4)]);
    expect(waited).toMatchObject({ code: 0, stdout: "the result\n" });
    expect(await cli(world, ["jobs", "result"])).toMatchObject({ code: 0, stdout: "the result\n" });
    expect((await cli(world, ["jobs"])).stdout).toMatch(new RegExp(`${id} +completed`));
    expect((await cli(world, ["jobs", "show", id])).stdout).toContain("say: the result");
  });

  test("F88: is attached to while it runs, and told from its beginning", async () => {
    await using world = await makeWorld();
    const id = await begin(world, "shell: echo early ;; slow: 30x50ms tick ;; say: the end");
    const [one, other] = await Promise.all([
      cli(world, ["jobs", "attach", id]),
      cli(world, ["jobs", "attach", id]),
    ]);
    for (const attached of [one, other]) {
      expect(attached).toMatchObject({ code: 0, stdout: "the end\n" });
      expect(attached.stderr).toContain("echo early");
    }
  });

  test("F62: is cancelled when that is confirmed; and one that has ended is left as it ended", async () => {
    await using world = await makeWorld();
    const id = await begin(world, "hold");
    const cancelled = await cli(world, ["jobs", "cancel", "--json"]);
    expect(lastJson(cancelled.stdout)).toEqual({ job: id, outcome: "cancelled", cancelled: true });
    expect((await cli(world, ["jobs", "result", id])).code).toBe(130);
    const again = await cli(world, ["jobs", "cancel", id, "--json"]);
    expect(lastJson(again.stdout)).toEqual({ job: id, outcome: "cancelled", cancelled: false });
  });

  test("F101: a failure, a loss and an empty answer do not look alike", async () => {
    await using world = await makeWorld();
    const failed = await begin(world, "quota");
    const empty = await begin(world, "shell: true");
    expect((await cli(world, ["jobs", "wait", failed])).stderr).toContain("usage limit");
    expect(await cli(world, ["jobs", "wait", empty])).toMatchObject({ code: 0 });
    const lost = await begin(world, "hold");
    const [broker] = livingBrokers(world.stateDir);
    process.kill(broker!.broker.pid, "SIGKILL");
    const { code, stderr } = await cli(world, ["jobs", "wait", lost]);
    expect(code).toBe(4);
    expect(stderr).toContain("was lost");
    expect(stderr).toContain("run --resume");
  });

  test("F87: nobody can say how one does whose broker does not answer", async () => {
    await using world = await makeWorld();
    const id = await begin(world, "hold");
    const [broker] = livingBrokers(world.stateDir);
    process.kill(broker!.broker.pid, "SIGSTOP");
    try {
      const { code, stderr } = await cli(world, ["jobs", "result", id]);
      expect({ code, stderr }).toMatchObject({ code: 3 });
      expect(stderr).toContain("does not answer");
    } finally {
      process.kill(broker!.broker.pid, "SIGCONT");
    }
  });

  test("says what is wrong with what it was given", async () => {
    await using world = await makeWorld();
    for (const [args, words] of [
      [["jobs", "nonsense"], "There is no `jobs nonsense`"],
      [["jobs", "show"], "no such job"],
      [["jobs", "show", "zzz"], "There is no job zzz"],
      [["jobs", "show", "../x"], "is no job's id"],
    ] as const) {
      const { code, stderr } = await cli(world, args);
      expect([args, code]).toEqual([args, 2]);
      expect(stderr).toContain(words);
    }
    expect(livingBrokers(world.stateDir)).toEqual([]);
  });
});
