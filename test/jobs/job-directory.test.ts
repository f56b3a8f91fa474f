import { mkdirSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { journalPath, listSetAside, readJobs } from "../../src/jobs/job-directory.ts";
import { encodeEntry, type JobEntry } from "../../src/jobs/job-entry.ts";
import { bytesRead, CAN_COUNT_BYTES } from "../support/bytes-read.ts";
import { makeTempDir } from "../support/temp-dir.ts";
import { wholeJob } from "./entries.ts";
import { writeJob, writeLargeJob } from "./write-job.ts";

describe("the jobs of a scope", () => {
  test("F56: are read the newest first; one that cannot be read hides no other", async () => {
    await using dir = await makeTempDir();
    writeJob(dir.path, "bbbbbbbb", "01");
    writeJob(dir.path, "cccccccc", "03");
    writeFileSync(journalPath(dir.path, "dddddddd"), "garbage");
    mkdirSync(journalPath(dir.path, "ffffffff"));
    writeFileSync(`${dir.path}/notes.txt`, "not ours");
    expect((await readJobs(dir.path)).map(({ id, state }) => [id, state])).toEqual([
      ["cccccccc", "read"],
      ["bbbbbbbb", "read"],
      ["dddddddd", "unreadable"],
      ["ffffffff", "unreadable"],
    ]);
  });

  test("are none where there is no directory", async () => {
    expect(await readJobs("/nowhere/at/all")).toEqual([]);
    expect(await listSetAside("/nowhere/at/all")).toEqual([]);
  });

  test("F55 F56: one that is cut at any byte costs no other, and is read as far as it goes or set aside", async () => {
    await using dir = await makeTempDir();
    writeJob(dir.path, "bbbbbbbb", "01");
    const whole = Buffer.from(wholeJob("cccccccc").map(encodeEntry).join(""));
    const file = journalPath(dir.path, "cccccccc");
    for (let cut = 0; cut <= whole.length; cut += 1) {
      writeFileSync(file, whole.subarray(0, cut));
      const readings = await readJobs(dir.path);
      expect([cut, readings.map(({ id }) => id).toSorted()]).toEqual([
        cut,
        ["bbbbbbbb", "cccccccc"],
      ]);
      const [cutOne, other] = readings.toSorted((a, b) => b.id.localeCompare(a.id));
      expect(other).toMatchObject({ state: "read", job: { end: { outcome: "completed" } } });
      // A job without a whole last entry has not ended.
      const ended = cutOne?.state === "read" && cutOne.job.end !== null;
      expect([cut, ended]).toEqual([cut, cut === whole.length]);
    }
  });

  test("F120: a long journal tells the same as a short one, wherever the window of the reader ends", async () => {
    await using dir = await makeTempDir();
    const [created, started, item, usage, ended] = wholeJob("bbbbbbbb") as [
      JobEntry & { type: "created" },
      ...JobEntry[],
    ];
    const long = (bytes: number): string => "ä".repeat(Math.ceil(bytes / 2));
    for (const bytes of [1, 4_000, 8_100, 8_192, 9_000, 33_000, 200_000]) {
      const request = { ...created.request, prompt: long(bytes) };
      const entries = [
        { ...created, request },
        started!,
        ...Array.from({ length: 5 }, () => ({ ...item!, item: { text: long(bytes) } })),
        usage!,
        { ...ended!, message: long(bytes) },
      ] as JobEntry[];
      const text = entries.map(encodeEntry).join("");
      writeFileSync(journalPath(dir.path, "bbbbbbbb"), text);
      const expected = {
        job: {
          turnId: "u",
          request: { prompt: long(bytes) },
          usage: { total: 1 },
          end: { outcome: "completed", message: long(bytes) },
        },
      };
      expect(await readJobs(dir.path)).toMatchObject([expected]);
      // Its writer was killed in the middle of a line.
      writeFileSync(journalPath(dir.path, "bbbbbbbb"), `${text}{"type":"item${long(bytes)}`);
      expect(await readJobs(dir.path)).toMatchObject([expected]);
    }
  });

  test.skipIf(!CAN_COUNT_BYTES)(
    "F120: 500 jobs of 20 MB are listed from a few kilobytes each",
    async () => {
      await using dir = await makeTempDir();
      for (let index = 0; index < 500; index += 1) {
        const id = `bbbbb${String(index).padStart(3, "0").replaceAll("0", "z").replaceAll("1", "y")}`;
        writeLargeJob(dir.path, id, 20_000_000);
      }
      const before = bytesRead();
      const readings = await readJobs(dir.path);
      expect(readings).toHaveLength(500);
      expect(readings.every((one) => one.state === "read" && one.job.end !== null)).toBe(true);
      expect(bytesRead() - before).toBeLessThan(500 * 32 * 1024);
    },
  );
});
