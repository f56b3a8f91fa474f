import { chmodSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test, vi } from "vitest";
import { deferred } from "../../src/base/deferred.ts";
import { attachToJob, type Attached, type AttachOptions } from "../../src/client/job-attach.ts";
import type { BrokerClient, QuestionHandler } from "../../src/index.ts";
import type { RunningJob } from "../../src/wire/job-protocol.ts";
import { readEpoch } from "../../src/lifecycle/epoch-file.ts";
import { eventually } from "../support/eventually.ts";
import { makeFakeCodex } from "../support/fake-codex.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { realCodex } from "../support/real-codex.ts";
import { livingBrokers } from "../support/stop-brokers.ts";
import { makeWorld, type World } from "../support/world.ts";
import { jobView, scopeDir, untilState } from "./job-states.ts";

guardAgainstLeaks();

// One that does not end when it is interrupted is waited for.
vi.setConfig({ testTimeout: 90_000 });

const FILTER = fileURLToPath(new URL("../fixtures/broker/filtering-codex.mjs", import.meta.url));
chmodSync(FILTER, 0o755);

const asking = { approvalPolicy: "on-request", sandboxMode: "workspace-write" } as const;

async function startJob(client: BrokerClient, prompt: string): Promise<string> {
  return (await client.request("broker/job/start", { prompt })).job;
}

async function hear(
  world: World,
  job: string,
  onEvent: AttachOptions["onEvent"],
  onQuestion?: QuestionHandler,
): Promise<Attached> {
  const view = await jobView(world, job);
  if (view?.state !== "running") throw new Error(`job ${job} is ${String(view?.state)}`);
  const asking = onQuestion === undefined ? {} : { onQuestion };
  return await attachToJob(view.broker, job, { onEvent, ...asking });
}

/** What every cancellation leaves: its word in the journal, and no turn. */
async function expectCancelled(world: World, client: BrokerClient, job: string): Promise<void> {
  expect(await client.request("broker/job/cancel", { job })).toEqual({
    job,
    outcome: "cancelled",
    escalated: false,
    otherTurns: 0,
  });
  expect((await jobView(world, job))?.state).toBe("cancelled");
  const { turns, jobs } = await client.status();
  expect([turns, jobs]).toEqual([[], []]);
}

const deafToInterrupts = (): Promise<World> =>
  makeWorld({
    codex: FILTER,
    env: { FILTER_CODEX: realCodex().native, FILTER_DEAF: "turn/interrupt" },
  });

test("F62 F64: a turn in the foreground that goes on is not said to have ended, and ends with its app-server", async () => {
  await using world = await deafToInterrupts();
  await using client = await world.connect();
  const turn = client.runTurn({ prompt: "hold" });
  await eventually(() => world.model.requests.total === 1, "it is running");
  turn.interrupt();
  await expect(turn.result).rejects.toMatchObject({ kind: "turnLost" });
  await eventually(
    () => {
      const reading = readEpoch(scopeDir(world), 1);
      const record = reading?.state === "read" ? reading.record : undefined;
      return record?.state === "ended" && record.reason.includes("though it was interrupted");
    },
    "its broker has ended",
    30_000,
  );
  expect((await client.runTurn({ prompt: "say: elsewhere" }).result).message).toBe("elsewhere");
});

describe("a job that is cancelled", () => {
  test("F63: before its start was acknowledged, has begun nothing, or has ended", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    await using other = await world.connect();
    const started = client
      .request("broker/job/start", { prompt: "hold" })
      .catch((error: unknown) => error);
    let job = "";
    await eventually(async () => {
      const { jobs } = await other.request("broker/jobs", {});
      job = jobs[0]?.job ?? "";
      return job !== "";
    }, "the job is known");
    const { outcome } = await other.request("broker/job/cancel", { job });
    expect(outcome).toBe("cancelled");
    const answer = await started;
    if (answer instanceof Error) expect(answer).toMatchObject({ kind: "turnInterrupted" });
    else expect(answer).toMatchObject({ job });
    expect((await jobView(world, job))?.state).toBe("cancelled");
    expect((await client.status()).turns).toEqual([]);
  });

  test("F63: while its thread is being opened, starts no turn, and both sides are told", async () => {
    await using fake = await makeFakeCodex({ delayMs: { "thread/start": 1_500 } });
    await using world = await makeWorld({ codex: fake.command, env: fake.env });
    await using client = await world.connect();
    await using other = await world.connect();
    const told = client
      .request("broker/job/start", { prompt: "hold" })
      .catch((error: unknown) => error);
    let jobs: readonly RunningJob[] = [];
    await eventually(async () => {
      ({ jobs } = await other.request("broker/jobs", {}));
      return jobs.length === 1;
    }, "the job is known");
    const { job, threadId } = jobs[0]!;
    expect(threadId).toBeNull();
    expect(await other.request("broker/job/cancel", { job })).toMatchObject({
      outcome: "cancelled",
    });
    expect(await told).toMatchObject({ kind: "turnInterrupted" });
    expect((await jobView(world, job))?.state).toBe("cancelled");
    const methods = (await fake.received()).map((got) => (got as { method?: string }).method);
    expect(methods).not.toContain("turn/start");
  });

  test("F63: at the moment of its acknowledgement", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    await expectCancelled(world, client, await startJob(client, "hold"));
  });

  test("F62 F64: during a command, which ends with it", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    const job = await startJob(client, "shell: sleep 60 ;; say: not reached");
    const runs = deferred<void>();
    const ends = deferred<string>();
    const attached = await hear(world, job, (event) => {
      if (event.type === "item.started" && event.item.type === "commandExecution") runs.resolve();
      if (event.type === "turn.completed") ends.resolve(event.turn.status);
    });
    await runs.promise;
    await expectCancelled(world, client, job);
    expect(await ends.promise).toBe("interrupted");
    attached.close();
  });

  test("F62 F65: during an approval, which is not waited for any more", async () => {
    await using world = await makeWorld({ config: asking });
    await using client = await world.connect();
    const asked = deferred<AbortSignal>();
    const job = await startJob(client, "hold: gate ;; shell-ask: echo no ;; say: not reached");
    const attached = await hear(
      world,
      job,
      () => {},
      async (_method, _params, { signal }) => {
        asked.resolve(signal);
        return await new Promise(() => {});
      },
    );
    world.model.release("gate");
    const signal = await asked.promise;
    await expectCancelled(world, client, job);
    await eventually(() => signal.aborted, "the question is withdrawn");
    attached.close();
  });

  test("F62: at its end is left as it ended, whichever comes first", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    for (let round = 0; round < 5; round += 1) {
      const job = await startJob(client, "say: done");
      const answer = await client
        .request("broker/job/cancel", { job })
        .then(({ outcome }) => outcome)
        .catch(() => "had ended");
      const view = await jobView(world, job);
      expect([answer, "had ended"]).toContain(answer === "had ended" ? answer : view?.state);
      expect(["completed", "cancelled"]).toContain(view?.state);
    }
  });

  test("F62 F64: and goes on all the same: other turns finish, then it ends with its app-server", async () => {
    await using world = await deafToInterrupts();
    await using client = await world.connect();
    const other = client.runTurn({ prompt: "hold: other ;; say: not cut" });
    const job = await startJob(client, "hold: never");
    await eventually(() => world.model.requests.total === 2, "both are running");
    expect(await client.request("broker/job/cancel", { job })).toEqual({
      job,
      outcome: null,
      escalated: true,
      otherTurns: 1,
    });
    // What is new begins elsewhere; the job is not said to have ended.
    expect((await jobView(world, job))?.state).toBe("running");
    expect((await client.runTurn({ prompt: "say: elsewhere" }).result).message).toBe("elsewhere");
    expect(client.epoch).toBe(2);
    world.model.release("other");
    expect(await other.result).toMatchObject({ status: "completed", message: "not cut" });
    await untilState(world, job, "cancelled");
    await eventually(() => {
      const reading = readEpoch(scopeDir(world), 1);
      return reading?.state === "read" && reading.record.state === "ended";
    }, "the older broker has ended");
    expect(livingBrokers(world.stateDir)).toHaveLength(1);
  });
});
