import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { onTrace, type BrokerClient, type TraceEvent } from "../../src/index.ts";
import { listEpochs, readEpoch, type EndedRecord } from "../../src/lifecycle/epoch-file.ts";
import { resolveScope } from "../../src/lifecycle/scope.ts";
import type { BrokerLimits } from "../../src/lifecycle/start-protocol.ts";
import { eventually } from "../support/eventually.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { MCP_SERVER_TABLE } from "../support/mcp-server.ts";
import { makeWorld, type World } from "../support/world.ts";

guardAgainstLeaks();

const LONG_MS = 60_000;

/** Long enough for a turn to have begun by then. */
const MIN_WEAR_AGE_MS = 4_000;

/** The obituaries, by epoch. */
function obituaries(world: World): Record<number, EndedRecord> {
  const { directory } = resolveScope({ cwd: world.workspace, env: world.env });
  return Object.fromEntries(
    listEpochs(directory).flatMap((epoch) => {
      const reading = readEpoch(directory, epoch);
      if (reading?.state !== "read" || reading.record.state !== "ended") return [];
      return [[epoch, reading.record] as const];
    }),
  );
}

function tracing(name: string, onEvent: (event: TraceEvent) => void): Disposable {
  const stop = onTrace((event) => {
    if (event.event === name) onEvent(event);
  });
  return { [Symbol.dispose]: stop };
}

const lifeMs = ({ at, startedAt }: EndedRecord): number =>
  Date.parse(at) - Date.parse(startedAt ?? at);

/**
 * A turn that runs long after the broker is over its budget: it must not be cut, the broker must end
 * when it has, and the client must go on in the same thread.
 */
async function outgrows(
  world: World,
  limits: Partial<BrokerLimits>,
  grow: (client: BrokerClient) => Promise<void>,
): Promise<EndedRecord> {
  await using client = await world.connect({
    limits: { ...limits, minWearAgeMs: MIN_WEAR_AGE_MS },
  });
  const turn = client.runTurn({ prompt: "hold: gate ;; say: whole" });
  await eventually(() => world.model.requests.inFlight === 1, "the model is asked");
  await grow(client);
  await eventually(
    async () =>
      Date.now() - Date.parse((await client.status()).startedAt) > MIN_WEAR_AGE_MS + 6_000,
    "the budget counts, and has been looked at",
    LONG_MS,
  );
  expect(client.epoch).toBe(1);
  expect((await client.status()).state).toBe("serving");
  world.model.release("gate");
  const first = await turn.result;
  expect(first).toMatchObject({ status: "completed", message: "whole" });
  await eventually(() => client.epoch === 2, "the client has moved", LONG_MS);
  const second = await client.runTurn({ prompt: "say: on", threadId: first.threadId }).result;
  expect(second).toMatchObject({ status: "completed", message: "on", threadId: first.threadId });
  await eventually(() => obituaries(world)[1] !== undefined, "the obituary is there", LONG_MS);
  const obituary = obituaries(world)[1]!;
  expect(obituary.abnormal).toBe(false);
  return obituary;
}

describe(
  "a broker that uses more than it may makes room when its turn has ended",
  { timeout: 2 * LONG_MS },
  () => {
    test("F90: memory", async () => {
      await using world = await makeWorld();
      const { wear, reason, figures } = await outgrows(
        world,
        { maxMemoryBytes: 50e6 },
        async () => {},
      );
      expect(wear).toBe("memory");
      expect(reason).toMatch(/^over budget: \d+ MB of memory; the limit is 50 MB$/);
      expect(figures?.peaks.rssBytes).toBeGreaterThan(50e6);
    });

    test("F90: processes that its app-server has started", async () => {
      await using world = await makeWorld({ config: { tables: MCP_SERVER_TABLE } });
      const { wear, reason, figures } = await outgrows(
        world,
        { maxDescendants: 2 },
        async (client) => {
          for (let each = 0; each < 3; each += 1) {
            const prompt = "say: a thread with an MCP server of its own";
            await client.runTurn({ prompt, keepThread: true }).result;
          }
          await eventually(
            async () => ((await client.status()).usage.descendants?.count ?? 0) > 2,
            "the MCP servers of the threads run",
          );
        },
      );
      expect(wear).toBe("descendants");
      expect(reason).toContain("the limit is 2");
      expect(figures?.peaks.descendants).toBeGreaterThan(2);
    });

    test("F96: descriptors, against the limit that really holds", async () => {
      await using world = await makeWorld();
      const { wear, reason } = await outgrows(
        world,
        { maxDescriptorPercent: 10 },
        async (client) => {
          const { appServer, usage } = await client.status();
          const { descriptors, descriptorLimit } = usage.appServer!;
          expect(descriptors! * 10).toBeLessThan(descriptorLimit!);
          const soft = descriptors! * 2;
          execFileSync("prlimit", ["--pid", String(appServer.pid), `--nofile=${soft}:`]);
        },
      );
      expect(wear).toBe("descriptors");
      expect(reason).toContain("the app-server has");
    });
  },
);

describe("what a new app-server does not mend", { timeout: 2 * LONG_MS }, () => {
  test("F90: is tried again after twice the time, each time", async () => {
    await using world = await makeWorld();
    const minWearAgeMs = 1_000;
    await using client = await world.connect({ limits: { maxMemoryBytes: 50e6, minWearAgeMs } });
    const moves: unknown[] = [];
    using _tracing = tracing("client.moved", ({ from, to }) => moves.push([from, to]));
    while (client.epoch < 4) {
      const { status } = await client.runTurn({ prompt: "say: x" }).result;
      expect(status).toBe("completed");
    }
    await eventually(() => obituaries(world)[3] !== undefined, "the third has ended", LONG_MS);
    // A successor must not be left for what its predecessor has said.
    expect(moves).toEqual([
      [1, 2],
      [2, 3],
      [3, 4],
    ]);
    const ended = obituaries(world);
    for (const [epoch, record] of Object.entries(ended)) {
      expect(record.wear).toBe("memory");
      expect(lifeMs(record)).toBeGreaterThanOrEqual(minWearAgeMs * 2 ** (Number(epoch) - 1));
    }
  });
});

describe("a broker whose turns do not reach the model", { timeout: 2 * LONG_MS }, () => {
  const limits = { maxTransportFailures: 3, minWearAgeMs: 0 };

  async function fail(client: BrokerClient, prompt: string, times: number): Promise<void> {
    for (let each = 0; each < times; each += 1) {
      expect((await client.runTurn({ prompt }).result).status).toBe("failed");
    }
  }

  test("F90: makes room once, and not again before a turn has reached it", async () => {
    await using world = await makeWorld();
    await using client = await world.connect({ limits });
    await fail(client, "drop", 2);
    expect((await client.runTurn({ prompt: "say: there" }).result).status).toBe("completed");
    await fail(client, "drop", 2);
    expect(client.epoch).toBe(1);
    await fail(client, "drop", 1);
    await eventually(() => client.epoch === 2, "the client has moved", LONG_MS);
    await eventually(() => obituaries(world)[1]?.wear === "transport", "the obituary is there");
    expect(obituaries(world)[1]?.reason).toBe("3 turns in a row did not reach the model");

    await fail(client, "drop", 8);
    expect((await client.status()).state).toBe("serving");
    expect(client.epoch).toBe(2);
    expect((await client.runTurn({ prompt: "say: again" }).result).status).toBe("completed");
    await fail(client, "drop", 3);
    await eventually(() => client.epoch === 3, "the client has moved again", LONG_MS);
  });

  test("F90: is not replaced for what the model refuses", async () => {
    await using world = await makeWorld();
    await using client = await world.connect({ limits });
    for (const prompt of ["quota", "http: 401", "http: 429", "fail: boom", "http: 400"]) {
      await fail(client, prompt, 3);
    }
    expect((await client.status()).state).toBe("serving");
    expect(client.epoch).toBe(1);
  });

  test("F90: is replaced also where turns only wait for the network, until their clients give up", async () => {
    await using world = await makeWorld({ config: { modelUrl: "http://127.0.0.1:9/v1" } });
    await using client = await world.connect({ limits });
    for (let each = 0; each < 3; each += 1) {
      const { status } = await client.runTurn({ prompt: "x", timeoutMs: 3_000 }).result;
      expect(status).toBe("timedOut");
    }
    await eventually(() => client.epoch === 2, "the client has moved", LONG_MS);
    await eventually(() => obituaries(world)[1] !== undefined, "the obituary is there", LONG_MS);
    expect(obituaries(world)[1]).toMatchObject({
      wear: "transport",
      figures: { turnsStarted: 3, ages: [{ failed: { responseStreamDisconnected: 3 } }] },
    });
  });
});
