import { readdirSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { journalPath, readJobs, removeOldJobs } from "../../src/jobs/job-directory.ts";
import { encodeEntry } from "../../src/jobs/job-entry.ts";
import { makeTempDir } from "../support/temp-dir.ts";
import { wholeJob } from "./entries.ts";

const NOON = Date.parse("2026-11-10T12:00:00.000Z");
const DAY_MS = 24 * 3_600_000;

function write(directory: string, id: string, day: string, entries = 5): void {
  const text = wholeJob(id, day).slice(0, entries).map(encodeEntry).join("");
  writeFileSync(journalPath(directory, id), text);
}

describe("the jobs of a scope", () => {
  test("F56: are read the newest first; one that cannot be read hides no other, and stays", async () => {
    await using dir = await makeTempDir();
    write(dir.path, "bbbbbbbb", "01");
    write(dir.path, "cccccccc", "03");
    writeFileSync(journalPath(dir.path, "dddddddd"), "garbage");
    writeFileSync(`${dir.path}/notes.txt`, "not ours");
    expect(readJobs(dir.path).map(({ id, state }) => [id, state])).toEqual([
      ["cccccccc", "read"],
      ["bbbbbbbb", "read"],
      ["dddddddd", "unreadable"],
    ]);
    removeOldJobs(dir.path, { now: NOON + 1_000 * DAY_MS, living: new Set() });
    expect(readdirSync(dir.path).toSorted()).toEqual(["dddddddd.jsonl", "notes.txt"]);
  });

  test("are none where there is no directory", () => {
    expect(readJobs("/nowhere/at/all")).toEqual([]);
  });

  test("F57 F61: go when they ended long ago, or when there are too many; one without an end never", async () => {
    await using dir = await makeTempDir();
    write(dir.path, "bbbbbbbb", "01", 3);
    write(dir.path, "cccccccc", "02");
    write(dir.path, "dddddddd", "08");
    write(dir.path, "ffffffff", "09");
    const retention = { now: NOON, living: new Set(["i"]) };
    expect(removeOldJobs(dir.path, { ...retention, keptForMs: 5 * DAY_MS })).toEqual(["cccccccc"]);
    expect(removeOldJobs(dir.path, { ...retention, keptJobs: 1 })).toEqual(["dddddddd"]);
    expect(readJobs(dir.path).map(({ id }) => id)).toEqual(["ffffffff", "bbbbbbbb"]);
  });
});
