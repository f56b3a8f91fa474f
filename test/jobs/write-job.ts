import { closeSync, fstatSync, ftruncateSync, openSync, utimesSync, writeSync } from "node:fs";
import { journalPath } from "../../src/jobs/job-directory.ts";
import { encodeEntry } from "../../src/jobs/job-entry.ts";
import { wholeJob } from "./entries.ts";

/** Writes a job of that day of November 2026, which the time of change of its journal says too. */
export function writeJob(directory: string, id: string, day: string, entries = 5): void {
  write(directory, id, day, [wholeJob(id, day).slice(0, entries)]);
}

/** Writes a job whose journal has a hole of that size between its first and its last entries. */
export function writeLargeJob(directory: string, id: string, bytes: number, day = "01"): void {
  const entries = wholeJob(id, day);
  write(directory, id, day, [entries.slice(0, 3), entries.slice(3)], bytes);
}

function write(
  directory: string,
  id: string,
  day: string,
  parts: ReadonlyArray<ReturnType<typeof wholeJob>>,
  hole = 0,
): void {
  const file = openSync(journalPath(directory, id), "w");
  for (const [index, part] of parts.entries()) {
    if (index > 0) {
      ftruncateSync(file, fstatSync(file).size + hole);
      writeSync(file, "\n", fstatSync(file).size);
    }
    writeSync(file, part.map(encodeEntry).join(""), fstatSync(file).size);
  }
  closeSync(file);
  const at = new Date(wholeJob(id, day).at(-1)!.at);
  utimesSync(journalPath(directory, id), at, at);
}
