import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { JobEntry } from "../../src/jobs/job-entry.ts";
import { readJob } from "../../src/jobs/job-directory.ts";
import { countEntries } from "../../src/jobs/journal-counts.ts";
import { Journal } from "../../src/jobs/journal.ts";
import { CAN_MOUNT, mountTinyDisk, type TinyDisk } from "../support/tiny-disk.ts";
import { wholeJob } from "./entries.ts";

const PAGE = 4096;

const [created, started, , , ended] = wholeJob() as [JobEntry & { type: "created" }, ...JobEntry[]];

function fillUp(disk: TinyDisk, pages: number): string {
  const file = join(disk.path, "filler");
  writeFileSync(file, Buffer.alloc(pages * PAGE));
  return file;
}

describe.skipIf(!CAN_MOUNT)("a journal on a disk that is full", () => {
  test("F56: misses what did not fit, and nothing that comes after", async () => {
    using disk = mountTinyDisk(4 * PAGE);
    const file = join(disk.path, "bcdf2345.jsonl");
    const journal = await Journal.create(file, created);
    journal.append(started!);
    const filler = fillUp(disk, 3);
    const item = { type: "agentMessage", text: "x".repeat(2 * PAGE) };
    journal.append({ type: "item", at: created.at, item });
    await journal.flushed;
    expect(readFileSync(file, "utf8").endsWith("\n")).toBe(false);
    rmSync(filler);
    journal.append(ended!);
    await journal.close();
    expect(await readJob(disk.path, "bcdf2345")).toMatchObject({
      job: { turnId: "u", end: { outcome: "completed" } },
    });
    expect(await countEntries(file)).toEqual({ items: 0, damagedLines: 1 });
  });

  test("is not begun, and leaves nothing", async () => {
    using disk = mountTinyDisk(4 * PAGE);
    fillUp(disk, 4);
    const file = join(disk.path, "bcdf2345.jsonl");
    await expect(Journal.create(file, created)).rejects.toMatchObject({
      kind: "stateDirUnusable",
    });
    expect(() => readFileSync(file)).toThrow("ENOENT");
  });
});
