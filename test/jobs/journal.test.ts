import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { JobEntry } from "../../src/jobs/job-entry.ts";
import { jobIn } from "../../src/jobs/job.ts";
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
  test("F56: misses what did not fit, and nothing that comes after", () => {
    using disk = mountTinyDisk(4 * PAGE);
    const file = join(disk.path, "bcdf2345.jsonl");
    const journal = new Journal(file, created);
    journal.append(started!);
    const filler = fillUp(disk, 3);
    const item = { type: "agentMessage", text: "x".repeat(2 * PAGE) };
    journal.append({ type: "item", at: created.at, item });
    expect(readFileSync(file, "utf8").endsWith("\n")).toBe(false);
    rmSync(filler);
    journal.append(ended!);
    journal.close();
    expect(jobIn(readFileSync(file, "utf8"))).toMatchObject({
      turnId: "u",
      items: [],
      end: { outcome: "completed" },
      damagedLines: 1,
    });
  });

  test("is not begun, and leaves nothing", () => {
    using disk = mountTinyDisk(4 * PAGE);
    fillUp(disk, 4);
    const file = join(disk.path, "bcdf2345.jsonl");
    expect(() => new Journal(file, created)).toThrow(
      expect.objectContaining({ kind: "stateDirUnusable" }) as Error,
    );
    expect(() => readFileSync(file)).toThrow("ENOENT");
  });
});
