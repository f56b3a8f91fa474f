import { mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { journalPath, listSetAside, readJobs } from "../../src/jobs/job-directory.ts";
import { removeOldJobs, setDamagedAside } from "../../src/jobs/retention.ts";
import { bytesRead, CAN_COUNT_BYTES } from "../support/bytes-read.ts";
import { makeTempDir } from "../support/temp-dir.ts";
import { writeJob, writeLargeJob } from "./write-job.ts";

const NOON = Date.parse("2026-11-10T12:00:00.000Z");
const DAY_MS = 24 * 3_600_000;
const MINUTES_MS = 2 * 60_000;

const nobody = { now: NOON, living: () => new Set<string>() };

describe("retention", () => {
  test("F57 F61: removes jobs that ended long ago, or are too many; a job without an end never", async () => {
    await using dir = await makeTempDir();
    writeJob(dir.path, "bbbbbbbb", "01", 3);
    writeJob(dir.path, "cccccccc", "02");
    writeJob(dir.path, "dddddddd", "08");
    writeJob(dir.path, "ffffffff", "09");
    const retention = { now: NOON, living: () => new Set(["i"]) };
    const old = await removeOldJobs(dir.path, { ...retention, keptForMs: 5 * DAY_MS });
    expect(old).toEqual(["cccccccc"]);
    const surplus = await removeOldJobs(dir.path, { ...retention, keptJobs: 1 });
    expect(surplus).toEqual(["dddddddd"]);
    expect((await readJobs(dir.path)).map(({ id }) => id)).toEqual(["ffffffff", "bbbbbbbb"]);
  });

  test("F57 F61: removes a job without an end when its broker cannot run it any more", async () => {
    await using dir = await makeTempDir();
    writeJob(dir.path, "bbbbbbbb", "01", 3);
    const retention = { now: NOON, keptForMs: 5 * DAY_MS };
    const whileRunning = { ...retention, living: () => new Set(["i"]) };
    expect(await removeOldJobs(dir.path, whileRunning)).toEqual([]);
    const afterwards = { ...retention, living: () => new Set<string>() };
    expect(await removeOldJobs(dir.path, afterwards)).toEqual(["bbbbbbbb"]);
  });

  test("F57: keeps a job that ended lately, whatever the time of change of its journal", async () => {
    await using dir = await makeTempDir();
    writeJob(dir.path, "bbbbbbbb", "09");
    utimesSync(journalPath(dir.path, "bbbbbbbb"), 0, 0);
    expect(await removeOldJobs(dir.path, { ...nobody, keptForMs: 5 * DAY_MS })).toEqual([]);
  });

  test("F56: keeps what it cannot read, and what is no journal", async () => {
    await using dir = await makeTempDir();
    writeFileSync(journalPath(dir.path, "dddddddd"), "garbage");
    writeFileSync(join(dir.path, "notes.txt"), "not ours");
    await removeOldJobs(dir.path, { ...nobody, now: Date.now() + 1_000 * DAY_MS, keptJobs: 0 });
    expect(readdirSync(dir.path).toSorted()).toEqual(["dddddddd.jsonl", "notes.txt"]);
  });

  test.skipIf(!CAN_COUNT_BYTES)("F120: reads no journal that it does not remove", async () => {
    await using dir = await makeTempDir();
    for (const id of ["bbbbbbbb", "cccccccc", "dddddddd", "ffffffff"]) {
      writeLargeJob(dir.path, id, 20_000_000, "09");
    }
    writeLargeJob(dir.path, "gggggggg", 20_000_000, "01");
    const before = bytesRead();
    expect(await removeOldJobs(dir.path, { ...nobody, keptForMs: 5 * DAY_MS })).toEqual([
      "gggggggg",
    ]);
    expect(bytesRead() - before).toBeLessThan(32 * 1024);
  });
});

describe("a damaged journal", () => {
  test("F56: is set aside, stays, and is named; one that is being begun is not", async () => {
    await using dir = await makeTempDir();
    writeJob(dir.path, "bbbbbbbb", "01");
    writeFileSync(journalPath(dir.path, "cccccccc"), '{"type":"crea');
    expect(await setDamagedAside(dir.path, Date.now())).toEqual([]);
    const later = Date.now() + MINUTES_MS;
    const aside = join(dir.path, "cccccccc.damaged");
    expect(await setDamagedAside(dir.path, later)).toEqual([aside]);
    expect(readFileSync(aside, "utf8")).toBe('{"type":"crea');
    expect(await listSetAside(dir.path)).toEqual([aside]);
    expect((await readJobs(dir.path)).map(({ id, state }) => [id, state])).toEqual([
      ["bbbbbbbb", "read"],
    ]);
    expect(await setDamagedAside(dir.path, later)).toEqual([]);
  });

  test("F56: is not one that cannot be read now, or that another version has written", async () => {
    await using dir = await makeTempDir();
    mkdirSync(journalPath(dir.path, "bbbbbbbb"));
    writeFileSync(journalPath(dir.path, "cccccccc"), '{"type":"created","at":"?","more":1}\n');
    const later = Date.now() + MINUTES_MS;
    expect(await setDamagedAside(dir.path, later)).toEqual([]);
    expect(await readJobs(dir.path)).toMatchObject([
      { id: "bbbbbbbb", state: "unreadable", damaged: false },
      { id: "cccccccc", state: "unreadable", damaged: false },
    ]);
  });

  test("F120: is looked for only in journals whose beginning is not known to be sound", async () => {
    await using dir = await makeTempDir();
    writeJob(dir.path, "bbbbbbbb", "01");
    writeFileSync(journalPath(dir.path, "cccccccc"), "garbage\n");
    const sound = new Set(["cccccccc"]);
    expect(await setDamagedAside(dir.path, Date.now() + MINUTES_MS, sound)).toEqual([]);
    expect(sound).toEqual(new Set(["cccccccc", "bbbbbbbb"]));
  });
});
