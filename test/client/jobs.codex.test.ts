import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { viewJobs } from "../../src/client/job-list.ts";
import { continuationOf } from "../../src/cli/jobs/resume.ts";
import { epochPath } from "../../src/lifecycle/epoch-file.ts";
import type { BrokerClient } from "../../src/index.ts";
import { eventually } from "../support/eventually.ts";
import { makeFakeCodex } from "../support/fake-codex.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { livingBrokers } from "../support/stop-brokers.ts";
import { makeWorld } from "../support/world.ts";
import { jobView, scopeDir, untilState } from "./job-states.ts";

guardAgainstLeaks();

async function startJob(client: BrokerClient, prompt: string): Promise<string> {
  return (await client.request("broker/job/start", { prompt })).job;
}

describe("a job", () => {
  test("F28 F37 F58: goes on when whoever started it has gone, and its result stays", async () => {
    await using world = await makeWorld();
    const client = await world.connect();
    const id = await startJob(client, "slow: 20x50ms tick ;; say: the result");
    client.close();
    expect((await jobView(world, id))?.state).toBe("running");
    const ended = await untilState(world, id, "completed");
    expect(ended).toMatchObject({ job: { end: { message: "the result" } } });
  });

  test("F28: of a client that died before it was told so begins all the same", async () => {
    await using world = await makeWorld();
    const client = await world.connect();
    client.request("broker/job/start", { prompt: "say: begun" }).catch(() => {});
    await eventually(() => existsSync(join(scopeDir(world), "jobs")), "it was asked for");
    client.close();
    await eventually(async () => {
      const [one] = await viewJobs(scopeDir(world));
      return one?.state === "completed" && one.job.end?.message === "begun";
    }, "the job has completed");
  });

  test("F21: keeps its broker alive before it has a turn, though nobody else is there", async () => {
    await using fake = await makeFakeCodex({ delayMs: { "thread/start": 1_500 } });
    await using world = await makeWorld({ codex: fake.command, env: fake.env });
    const client = await world.connect({ limits: { idleTimeoutMs: 200 } });
    client.request("broker/job/start", { prompt: "say: begun" }).catch(() => {});
    await eventually(() => existsSync(join(scopeDir(world), "jobs")), "it was asked for");
    client.close();
    await eventually(async () => {
      const [one] = await viewJobs(scopeDir(world));
      return one?.state === "completed";
    }, "the job has completed");
    await eventually(() => livingBrokers(world.stateDir).length === 0, "the broker ends");
  });

  test("F60: has on record what was asked, what became of it, and where", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    const id = await startJob(client, "say: done");
    const ended = await untilState(world, id, "completed");
    expect(ended).toMatchObject({
      job: {
        epoch: client.epoch,
        instance: client.instance,
        request: { prompt: "say: done", threadId: null, sandbox: null },
        resolved: { model: "mock-model", cwd: world.workspace, approvalPolicy: "never" },
      },
    });
  });

  test("F29: runs to its end in the older broker when that is replaced", async () => {
    await using world = await makeWorld();
    const client = await world.connect();
    const id = await startJob(client, "slow: 30x50ms tick ;; say: not cut");
    client.close();
    (await world.connect({ replace: true })).close();
    expect((await jobView(world, id))?.state).toBe("running");
    expect(await untilState(world, id, "completed")).toMatchObject({
      job: { end: { message: "not cut" } },
    });
    await eventually(() => livingBrokers(world.stateDir).length === 1, "the older broker ends");
  });

  test("F54: is lost, and not running, when its broker was killed", async () => {
    await using world = await makeWorld();
    const client = await world.connect();
    const id = await startJob(client, "hold");
    const { pid } = await client.status();
    process.kill(pid, "SIGKILL");
    await client.closed;
    const lost = await untilState(world, id, "lost");
    expect(lost).toMatchObject({ why: expect.stringContaining("epoch 1") as string });
    // Its thread can be continued.
    await using next = await world.connect();
    const threadId = lost.state === "lost" ? lost.job.threadId! : "";
    const { message } = await next.runTurn({ threadId, prompt: "say: continued" }).result;
    expect(message).toBe("continued");
  });

  test("F54: is lost with the reason when its app-server was killed", async () => {
    await using world = await makeWorld();
    const client = await world.connect();
    const id = await startJob(client, "hold");
    const { appServer } = await client.status();
    process.kill(appServer.pid!, "SIGKILL");
    expect(await untilState(world, id, "lost")).toMatchObject({
      job: { end: { outcome: "lost", error: { kind: "turnLost" } } },
    });
  });

  test("F54: is lost when the machine was restarted, says so, and its thread can be continued", async () => {
    await using world = await makeWorld();
    const client = await world.connect();
    const id = await startJob(client, "hold");
    await eventually(() => world.model.requests.total > 0, "the model was asked");
    const { pid } = await client.status();
    process.kill(pid, "SIGKILL");
    await client.closed;
    const file = epochPath(scopeDir(world), 1);
    const record = JSON.parse(readFileSync(file, "utf8")) as { broker: object; appServer: object };
    const bootId = "00000000-0000-4000-8000-000000000000";
    Object.assign(record.broker, { bootId });
    Object.assign(record.appServer, { bootId });
    writeFileSync(file, JSON.stringify(record));
    const lost = await untilState(world, id, "lost");
    expect(lost).toMatchObject({ why: expect.stringContaining("was restarted") as string });
    await using next = await world.connect();
    const { job } = await next.request("broker/job/start", continuationOf(lost, "say: on we go"));
    expect(await untilState(world, job, "completed")).toMatchObject({
      job: { threadId: lost.state === "lost" ? lost.job.threadId : "" },
    });
  });

  test("F62 F64: cancelled is said when the turn has ended, and the job knows who ended it", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    const job = await startJob(client, "shell: sleep 60");
    expect(await client.request("broker/job/cancel", { job })).toMatchObject({
      job,
      outcome: "cancelled",
    });
    expect((await jobView(world, job))?.state).toBe("cancelled");
    expect((await client.request("broker/turns", {})).turns).toEqual([]);
  });

  test("F101: that was interrupted with its broker says so", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    const id = await startJob(client, "hold");
    await client.request("broker/stop", { force: true });
    expect(await untilState(world, id, "cancelled")).toMatchObject({
      job: { end: { error: { message: expect.stringContaining("stopped by force") as string } } },
    });
  });

  test("is ended by its own time limit", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    const { job } = await client.request("broker/job/start", { prompt: "hold", timeoutMs: 300 });
    await untilState(world, job, "timedOut");
  });

  test("that could not begin is refused with the reason, and leaves nothing", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    await expect(
      client.request("broker/job/start", { prompt: "say: x", threadId: "no-such-thread" }),
    ).rejects.toThrow();
    await expect(client.request("broker/job/start", { prompt: "" })).rejects.toMatchObject({
      kind: "invalidRequest",
    });
    expect(readdirSync(join(scopeDir(world), "jobs"))).toEqual([]);
  });
});
