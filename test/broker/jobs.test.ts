import { expect, test } from "vitest";
import { deferred } from "../../src/base/deferred.ts";
import { Jobs } from "../../src/broker/jobs.ts";
import { Lifespan } from "../../src/broker/lifespan.ts";
import { DEFAULT_LIMITS } from "../../src/lifecycle/start-protocol.ts";
import { eventually } from "../support/eventually.ts";
import { makeTempDir } from "../support/temp-dir.ts";
import { Bench } from "./bench.ts";

const THREAD = { thread: { id: "t" } };

test("a job that is cancelled before it began leaves the broker idle, which then ends (F138)", async () => {
  await using dir = await makeTempDir();
  const bench = new Bench();
  const over = deferred<string>();
  const lifespan = new Lifespan(
    { ...DEFAULT_LIMITS, idleTimeoutMs: 20 },
    () => ({ sessions: 0, turns: bench.router.turnCount + jobs.beginning }),
    ({ reason }) => over.resolve(reason),
  );
  const jobs: Jobs = new Jobs({
    directory: dir.path,
    workspace: Bench.WORKSPACE,
    epoch: 1,
    instance: "i",
    router: bench.router,
    living: () => new Set(["i"]),
    codexVersion: () => null,
    endsBecause: () => undefined,
    onChange: () => lifespan.workChanged(),
  });
  const started = jobs.start({ prompt: "say: never" });
  // It rejects while the test waits for something else.
  started.catch(() => {});
  lifespan.begin();
  await eventually(() => bench.asked("thread/start").length === 1, "it opens its thread");
  const [{ job } = { job: "" }] = jobs.running();
  const cancelled = jobs.cancel(job);
  await bench.answer("thread/start", { result: THREAD });
  await expect(started).rejects.toMatchObject({ kind: "turnInterrupted" });
  expect(await cancelled).toMatchObject({ outcome: "cancelled" });
  expect(bench.asked("turn/start")).toEqual([]);
  expect(await over.promise).toBe("idle");
  lifespan.stop();
});
