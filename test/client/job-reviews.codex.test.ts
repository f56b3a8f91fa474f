import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeWorld, type World } from "../support/world.ts";
import { jobView, untilState } from "./job-states.ts";

guardAgainstLeaks();

async function worldWithChanges(): Promise<World> {
  const world = await makeWorld();
  const git = (...args: string[]): void => {
    execFileSync("git", args, { cwd: world.workspace, stdio: "pipe" });
  };
  git("init", "-q");
  writeFileSync(join(world.workspace, "changed.txt"), "not committed\n");
  return world;
}

async function untilAsked({ model }: World): Promise<void> {
  await eventually(() => model.requests.total > 0, "the model was asked");
}

test("a review is a kind of job, and its result is what the reviewer has handed over", async () => {
  await using world = await worldWithChanges();
  await using client = await world.connect();
  const target = { type: "custom", instructions: "shell: true ;; say: nothing wrong" };
  const { job, turnId } = await client.request("broker/job/start", { kind: "review", target });
  const ended = await untilState(world, job, "completed");
  expect(ended).toMatchObject({
    job: {
      turnId,
      request: { kind: "review", target, prompt: null },
      end: { message: "nothing wrong" },
    },
  });
});

test("F62 F63: a review is cancelled by the name that it was answered with", async () => {
  await using world = await worldWithChanges();
  await using client = await world.connect();
  const target = { type: "custom", instructions: "hold" };
  const { job } = await client.request("broker/job/start", { kind: "review", target });
  await untilAsked(world);
  expect(await client.request("broker/job/cancel", { job })).toMatchObject({
    outcome: "cancelled",
  });
  expect((await jobView(world, job))?.state).toBe("cancelled");
  expect((await client.status()).turns).toEqual([]);
});

test("F37: a review whose last listener goes away is interrupted as any turn", async () => {
  await using world = await worldWithChanges();
  await using other = await world.connect();
  const client = await world.connect();
  const { thread } = await client.request("thread/start", { cwd: world.workspace });
  const target = { type: "custom", instructions: "hold" } as const;
  await client.request("review/start", { threadId: thread.id, target });
  await untilAsked(world);
  client.close();
  await eventually(async () => (await other.status()).turns.length === 0, "the review has ended");
});
