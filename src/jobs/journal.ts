import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import { trace } from "../base/trace.ts";
import { removeIfThere } from "../os/atomic-file.ts";
import { unusable } from "../os/private-directory.ts";
import { encodeEntry, type JobEntry } from "./job-entry.ts";

/** After these a reader may rely on the disk; the items between may be lost with the machine. */
const MILESTONES = new Set<JobEntry["type"]>(["created", "started", "ended"]);

/** The one writer of one job's journal. */
export class Journal {
  readonly #path: string;
  readonly #descriptor: number;
  /** A line was begun and could not be finished. */
  #torn = false;

  /** @throws BrokerError `stateDirUnusable`; nothing is left then. */
  constructor(path: string, created: JobEntry & { readonly type: "created" }) {
    this.#path = path;
    try {
      this.#descriptor = openSync(path, "ax", 0o600);
    } catch (cause) {
      throw unusable(path, cause);
    }
    try {
      this.#write(created);
    } catch (cause) {
      this.close();
      removeIfThere(path);
      throw unusable(path, cause);
    }
  }

  /** A full disk is no reason to end a turn: what could not be written is missing, and the log says so. */
  append(entry: JobEntry): void {
    try {
      this.#write(entry);
    } catch (error) {
      const { type } = entry;
      trace("error", "journal.notWritten", { file: this.#path, type, error: String(error) });
    }
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  #write(entry: JobEntry): void {
    const line = Buffer.from(`${this.#torn ? "\n" : ""}${encodeEntry(entry)}`);
    for (let at = 0; at < line.length;) {
      at += writeSync(this.#descriptor, line, at);
      this.#torn = at < line.length;
    }
    if (MILESTONES.has(entry.type)) fsyncSync(this.#descriptor);
  }
}
