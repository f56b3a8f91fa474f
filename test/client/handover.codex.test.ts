import { describe, expect, test } from "vitest";
import { Deadline, pause } from "../../src/base/deadline.ts";
import type { BrokerClient } from "../../src/index.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeWorld, type World } from "../support/world.ts";
import { untilState } from "./job-states.ts";

guardAgainstLeaks();

const LEAVES_AFTER_MS = [2, 5, 10, 20, 40];
/** Covers a turn that takes milliseconds, on a slow machine. */
const TURN_LIMIT_MS = 60_000;

interface Idle {
  /** The only subscriber of the thread. */
  readonly first: BrokerClient;
  readonly threadId: string;
}

async function idleThread(world: World): Promise<Idle> {
  const first = await world.connect();
  const { threadId } = await first.runTurn({ prompt: "say: first" }).result;
  return { first, threadId };
}

async function within<T>(promise: Promise<T>, what: string): Promise<T> {
  return await Deadline.after(TURN_LIMIT_MS).race(promise, () => new Error(`no ${what}`));
}

describe(
  "a thread that one client leaves while another opens it (F102)",
  { timeout: 90_000 },
  () => {
    test.each(LEAVES_AFTER_MS)(
      "completes the turn of the other, left %i ms after that was asked for",
      async (ms) => {
        await using world = await makeWorld();
        const { first, threadId } = await idleThread(world);
        await using second = await world.connect();
        const turn = second.runTurn({ threadId, prompt: "slow: 4x50ms tick" });
        await pause(ms);
        first.close();
        const heard: string[] = [];
        for await (const event of turn) heard.push(event.type);
        const result = await within(turn.result, "end of the turn");
        expect(result).toMatchObject({
          status: "completed",
          message: "tick 1 tick 2 tick 3 tick 4 ",
        });
        expect(heard).toContain("turn.started");
      },
    );

    test.each(LEAVES_AFTER_MS)("completes a job on it, left %i ms after its start", async (ms) => {
      await using world = await makeWorld();
      const { first, threadId } = await idleThread(world);
      await using second = await world.connect();
      const started = second.request("broker/job/start", { threadId, prompt: "slow: 4x50ms tick" });
      await pause(ms);
      first.close();
      const { job } = await started;
      await untilState(world, job, "completed");
    });
  },
);
