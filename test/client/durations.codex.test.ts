import { describe, expect, test } from "vitest";
import type { TurnOptions } from "../../src/index.ts";
import { cli } from "../cli/program.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeWorld } from "../support/world.ts";

guardAgainstLeaks();

/** More than one timer of Node can run for. */
const MONTH_MS = 30 * 24 * 3_600_000;

describe("a turn with a very long limit", { timeout: 60_000 }, () => {
  test.each([MONTH_MS, 1e15, Infinity])("F112: of %d ms is not interrupted at once", async (ms) => {
    await using world = await makeWorld();
    await using client = await world.connect({
      startTimeoutMs: ms,
      limits: { idleTimeoutMs: ms, drainTimeoutMs: ms, maxAgeMs: ms, answerTimeoutMs: ms },
    });
    const first = client.runTurn({ prompt: "slow: 5x20ms tick", timeoutMs: ms, stallMs: ms });
    for await (const event of first) expect(event.type).not.toBe("turn.stalled");
    const { status, threadId } = await first.result;
    expect(status).toBe("completed");
    // The same number goes over the wire where the turn may wait for its thread.
    const second = { prompt: "say: two", threadId, timeoutMs: ms, whenBusy: "queue" } as const;
    expect((await client.runTurn(second).result).status).toBe("completed");
  });

  test.each([
    [{ timeoutMs: Number.NaN }, "timeoutMs is NaN"],
    [{ timeoutMs: -1 }, "timeoutMs is -1"],
    [{ stallMs: Number.NaN }, "stallMs is NaN"],
    [{ stallMs: -5 }, "stallMs is -5"],
  ] as const)("F112: %o is a usage error, and no turn begins", async (options, message) => {
    await using world = await makeWorld();
    await using client = await world.connect();
    const run = (more: Partial<TurnOptions>): Promise<unknown> =>
      client.runTurn({ prompt: "say: no", ...more }).result;
    await expect(run(options)).rejects.toMatchObject({
      kind: "usage",
      message: expect.stringContaining(message) as string,
    });
    expect(world.model.requests.total).toBe(0);
  });

  test("F112: a start that may take NaN milliseconds is a usage error", async () => {
    await using world = await makeWorld();
    await expect(world.connect({ startTimeoutMs: Number.NaN })).rejects.toMatchObject({
      kind: "usage",
    });
  });

  test("F112: `run --timeout` takes a month, and more seconds than a number has", async () => {
    await using world = await makeWorld();
    for (const seconds of ["2592000", "9".repeat(400)]) {
      const args = ["run", "--timeout", seconds, "--idle-timeout", seconds, "slow: 5x20ms tick"];
      expect(await cli(world, args)).toMatchObject({ code: 0 });
      const job = await cli(world, ["run", "--background", "--timeout", seconds, "say: later"]);
      expect(job.code).toBe(0);
      const wait = ["jobs", "wait", "--timeout", seconds];
      expect(await cli(world, wait)).toMatchObject({ code: 0 });
    }
  });
});
