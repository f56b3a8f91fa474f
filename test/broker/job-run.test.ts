import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { JobRun } from "../../src/broker/job-run.ts";
import { readJob } from "../../src/jobs/job-directory.ts";
import { jobRequestIn } from "../../src/jobs/job-request.ts";
import { Journal } from "../../src/jobs/journal.ts";
import type { JobStarted } from "../../src/wire/job-protocol.ts";
import { makeTempDir } from "../support/temp-dir.ts";
import { Bench, turnStarted } from "./bench.ts";

interface Setting extends AsyncDisposable {
  readonly bench: Bench;
  readonly job: JobRun;
  readonly started: Promise<JobStarted>;
  /** What its journal says. */
  recorded(): Promise<unknown>;
}

/** A job whose thread is open and whose turn has been asked for. */
async function asked(request: object = { prompt: "go" }): Promise<Setting> {
  const dir = await makeTempDir();
  const journal = await Journal.create(join(dir.path, "bcdf2345.jsonl"), {
    type: "created",
    at: new Date(0).toISOString(),
    job: "bcdf2345",
    epoch: 1,
    instance: "i",
    version: "1",
    request: jobRequestIn(request),
  });
  const bench = new Bench();
  const job = new JobRun("bcdf2345", jobRequestIn(request), {
    journal,
    router: bench.router,
    codex: null,
    workspace: "/work",
    endsBecause: () => undefined,
  });
  const started = job.start();
  await bench.answer("thread/start", { result: { thread: { id: "t" } } });
  return {
    bench,
    job,
    started,
    recorded: () => readJob(dir.path, "bcdf2345"),
    [Symbol.asyncDispose]: () => dir.remove(),
  };
}

const completed = (id: string, status: string, more: object = {}): object => ({
  method: "turn/completed",
  params: { threadId: "t", turn: { id, status, ...more } },
});
const message = (turnId: string, text: string): object => ({
  method: "item/completed",
  params: { threadId: "t", turnId, item: { type: "agentMessage", text } },
});
const answer = (id: string): object => ({ result: { turn: { id } } });

describe("a job (F113)", () => {
  test("is not ended by the late end of the turn before, nor has its message", async () => {
    await using at = await asked();
    const { bench, job } = at;
    await bench.tell(completed("before", "failed"));
    await bench.answer("turn/start", answer("own"));
    await bench.tell(turnStarted("t", "own"));
    await bench.tell(message("own", "own words"));
    await bench.tell(message("before", "others' words"));
    await bench.tell(completed("before", "interrupted"));
    expect(job.status()).toMatchObject({ threadId: "t", turnId: "own" });
    await bench.tell(completed("own", "completed"));
    expect(await job.ended).toBe("completed");
    expect(await at.recorded()).toMatchObject({
      job: { end: { outcome: "completed", message: "own words" } },
    });
  });

  test("is ended by its own end that comes before the response", async () => {
    await using at = await asked();
    const { bench, job } = at;
    await bench.tell(completed("own", "failed", { error: { message: "no" } }));
    await bench.answer("turn/start", answer("own"));
    expect(await job.ended).toBe("failed");
    expect(await at.started).toMatchObject({ turnId: "own" });
  });

  test("that reviews is ended under the id of its response, and has what its reviewer says", async () => {
    await using at = await asked({ kind: "review", target: { type: "uncommittedChanges" } });
    const { bench, job } = at;
    await bench.answer("review/start", answer("review"));
    const turn = { id: "active", rootTurnId: "review" };
    await bench.tell({ method: "turn/started", params: { threadId: "t", turn } });
    const item = { type: "exitedReviewMode", review: "no findings" };
    await bench.tell({
      method: "item/completed",
      params: { threadId: "t", turnId: "active", item },
    });
    await bench.tell(completed("before", "failed"));
    await bench.tell(completed("review", "completed"));
    expect(await job.ended).toBe("completed");
    expect(await at.recorded()).toMatchObject({ job: { end: { message: "no findings" } } });
  });
});

describe("a job whose thread is closed while its turn runs (F102)", () => {
  test.each([
    ["as Codex's history has it", { data: [{ id: "own", status: "completed" }] }, "completed"],
    ["as lost where history does not have it", { data: [] }, "lost"],
  ])("ends %s", async (_how, history, outcome) => {
    await using at = await asked();
    const { bench, job } = at;
    await bench.answer("turn/start", answer("own"));
    await bench.tell(turnStarted("t", "own"));
    await bench.tell({ method: "thread/closed", params: { threadId: "t" } });
    await bench.answer("thread/turns/list", { result: history });
    if (outcome === "lost") await bench.answer("thread/read", { result: {} });
    expect(await job.ended).toBe(outcome);
  });
});
