import { mkdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { viewJobs } from "../../src/client/job-list.ts";
import { jobsDirectory, journalPath } from "../../src/jobs/job-directory.ts";
import { decodeEntry } from "../../src/jobs/job-entry.ts";
import { writeLargeJob } from "../jobs/write-job.ts";
import { bytesRead, CAN_COUNT_BYTES } from "../support/bytes-read.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeWorld } from "../support/world.ts";
import { scopeDir, untilState } from "./job-states.ts";

guardAgainstLeaks();

const MB = 1_000_000;
test.skipIf(!CAN_COUNT_BYTES)(
  "F120: the end of a job reads no stored journal, however many and large they are",
  async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    const directory = jobsDirectory(scopeDir(world));
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    for (const first of "2345") {
      for (const second of "bcdfghjkmnpqrstvwxz23456") {
        writeLargeJob(directory, `${first}${second}bbbbbb`, 20 * MB);
      }
    }
    const { pid } = await client.status();
    const before = bytesRead(pid);
    const { job } = await client.request("broker/job/start", { prompt: "say: done" });
    await untilState(world, job, "completed");
    const { message } = await client.runTurn({ prompt: "say: a neighbour" }).result;
    expect(message).toBe("a neighbour");
    const again = await client.request("broker/job/start", { prompt: "say: again" });
    await untilState(world, again.job, "completed");
    expect(bytesRead(pid) - before).toBeLessThan(10 * MB);
    expect((await client.status()).usage.broker.rssBytes).toBeLessThan(400 * MB);
    expect(await viewJobs(scopeDir(world))).toHaveLength(98);
  },
);

test("F120: the journal has long items cut, says so, and keeps the final message whole", async () => {
  await using world = await makeWorld();
  await using client = await world.connect();
  const prompt = `say: ${"x".repeat(100_000)} ;; stream: 300 deltas at 100000/s of 1000 bytes`;
  const { job } = await client.request("broker/job/start", { prompt });
  const view = await untilState(world, job, "completed");
  if (view.state !== "completed") throw new Error("unreachable");
  const journal = readFileSync(journalPath(jobsDirectory(scopeDir(world)), job), "utf8");
  const entries = journal.split("\n").flatMap((line) => decodeEntry(line) ?? []);
  const long = entries.filter((entry) => entry.type === "item" && entry.truncated !== undefined);
  expect(long).toMatchObject([
    { item: { type: "userMessage" } },
    { item: { type: "agentMessage" } },
    { item: { type: "agentMessage" } },
  ]);
  expect(entries[0]).toMatchObject({ truncated: { bytes: prompt.length + 2 } });
  for (const entry of long) expect(JSON.stringify(entry).length).toBeLessThan(80_000);
  expect(view.job.end?.message.length).toBeGreaterThan(290_000);
});
