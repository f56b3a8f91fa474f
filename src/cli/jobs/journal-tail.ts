import { jobsDirectory, journalPath } from "../../jobs/job-directory.ts";
import { decodeEntry, type JobEntry } from "../../jobs/job-entry.ts";
import { LogTail } from "../log/log-tail.ts";

/** An entry with its number, which is that of its line: 1 is what was asked. */
export interface Numbered {
  readonly entry: number;
  readonly told: JobEntry;
}

/** Reads a journal entry by entry as it grows. */
export class JournalTail {
  readonly #tail: LogTail;
  #lines = 0;

  constructor(scopeDir: string, id: string) {
    this.#tail = new LogTail(journalPath(jobsDirectory(scopeDir), id));
  }

  /** What was added since the last call. A line that is no entry keeps its number. */
  read(): Numbered[] {
    return this.#tail.read().flatMap((line) => {
      const entry = (this.#lines += 1);
      const told = decodeEntry(line);
      return told === undefined ? [] : [{ entry, told }];
    });
  }
}
