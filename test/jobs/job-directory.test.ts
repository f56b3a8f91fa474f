import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  journalPath,
  listSetAside,
  readJobs,
  removeOldJobs,
  setDamagedAside,
} from "../../src/jobs/job-directory.ts";
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
    removeOldJobs(dir.path, { now: NOON + 1_000 * DAY_MS, living: () => new Set() });
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
    const retention = { now: NOON, living: () => new Set(["i"]) };
    expect(removeOldJobs(dir.path, { ...retention, keptForMs: 5 * DAY_MS })).toEqual(["cccccccc"]);
    expect(removeOldJobs(dir.path, { ...retention, keptJobs: 1 })).toEqual(["dddddddd"]);
    expect(readJobs(dir.path).map(({ id }) => id)).toEqual(["ffffffff", "bbbbbbbb"]);
  });

  test("F57 F61: one without an end goes too when its broker cannot run it any more", async () => {
    await using dir = await makeTempDir();
    write(dir.path, "bbbbbbbb", "01", 3);
    const retention = { now: NOON, keptForMs: 5 * DAY_MS };
    expect(removeOldJobs(dir.path, { ...retention, living: () => new Set(["i"]) })).toEqual([]);
    expect(removeOldJobs(dir.path, { ...retention, living: () => new Set() })).toEqual([
      "bbbbbbbb",
    ]);
  });

  test("F55 F56: one that is cut at any byte costs no other, and is read as far as it goes or set aside", async () => {
    await using dir = await makeTempDir();
    write(dir.path, "bbbbbbbb", "01");
    const whole = Buffer.from(wholeJob("cccccccc").map(encodeEntry).join(""));
    const file = journalPath(dir.path, "cccccccc");
    for (let cut = 0; cut <= whole.length; cut += 1) {
      writeFileSync(file, whole.subarray(0, cut));
      const readings = readJobs(dir.path);
      expect([cut, readings.map(({ id }) => id).toSorted()]).toEqual([
        cut,
        ["bbbbbbbb", "cccccccc"],
      ]);
      const [cutOne, other] = readings.toSorted((a, b) => b.id.localeCompare(a.id));
      expect(other).toMatchObject({ state: "read", job: { end: { outcome: "completed" } } });
      // Nobody takes it for ended that has no whole word on its end.
      const ended = cutOne?.state === "read" && cutOne.job.end !== null;
      expect([cut, ended]).toEqual([cut, cut === whole.length]);
    }
  });

  test("F56: one that has no beginning is set aside, stays, and is named; one that is being begun is not", async () => {
    await using dir = await makeTempDir();
    write(dir.path, "bbbbbbbb", "01");
    writeFileSync(journalPath(dir.path, "cccccccc"), '{"type":"crea');
    expect(setDamagedAside(dir.path, Date.now())).toEqual([]);
    const later = Date.now() + 2 * 60_000;
    const aside = join(dir.path, "cccccccc.damaged");
    expect(setDamagedAside(dir.path, later)).toEqual([aside]);
    expect(readFileSync(aside, "utf8")).toBe('{"type":"crea');
    expect(listSetAside(dir.path)).toEqual([aside]);
    expect(readJobs(dir.path).map(({ id, state }) => [id, state])).toEqual([["bbbbbbbb", "read"]]);
    expect(setDamagedAside(dir.path, later)).toEqual([]);
  });
});
