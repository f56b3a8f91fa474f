import { open, unlink, type FileHandle } from "node:fs/promises";
import { errnoOf } from "../base/errors.ts";
import { trace } from "../base/trace.ts";
import { unusable } from "../os/private-directory.ts";
import { withinLimit } from "./entry-size.ts";
import { encodeEntry, type JobEntry } from "./job-entry.ts";

/** After these a reader may rely on the disk; the items between may be lost with the machine. */
const MILESTONES = new Set<JobEntry["type"]>(["created", "started", "ended"]);

/**
 * Writes one job's journal; it has no other writer. Entries are written in order and in the
 * background, because a disk may take seconds for an `fsync`.
 */
export class Journal {
  readonly #path: string;
  readonly #file: FileHandle;
  /** A line was begun and could not be finished. */
  #torn = false;
  #written: Promise<void> = Promise.resolve();
  #closed: Promise<void> | undefined;

  private constructor(path: string, file: FileHandle) {
    this.#path = path;
    this.#file = file;
  }

  /** @throws BrokerError `stateDirUnusable`; no file is left then. */
  static async create(
    path: string,
    created: JobEntry & { readonly type: "created" },
  ): Promise<Journal> {
    const file = await open(path, "ax", 0o600).catch((cause: unknown) => {
      throw unusable(path, cause);
    });
    const journal = new Journal(path, file);
    try {
      await journal.#write(created.type, encodeEntry(withinLimit(created)));
      return journal;
    } catch (cause) {
      await journal.discard();
      throw unusable(path, cause);
    }
  }

  /** A full disk is no reason to end a turn: what could not be written is missing, and the log says so. */
  append(entry: JobEntry): void {
    const { type } = entry;
    const line = encodeEntry(withinLimit(entry));
    this.#written = this.#written.then(() =>
      this.#write(type, line).catch((error: unknown) => {
        trace("error", "journal.notWritten", { file: this.#path, type, error: String(error) });
      }),
    );
  }

  /** Settles when everything that was appended so far has been written. Never rejects. */
  get flushed(): Promise<void> {
    return this.#written;
  }

  /** Writes what was appended, and closes the file. Never rejects. */
  close(): Promise<void> {
    this.#closed ??= this.#written
      .then(() => this.#file.close())
      .catch((error: unknown) => {
        trace("warn", "journal.notClosed", { file: this.#path, error: String(error) });
      });
    return this.#closed;
  }

  /** Removes the journal of a job that came to nothing. Never rejects. */
  async discard(): Promise<void> {
    await this.close();
    await unlink(this.#path).catch((error: unknown) => {
      if (errnoOf(error) === "ENOENT") return;
      trace("warn", "journal.notRemoved", { file: this.#path, error: String(error) });
    });
  }

  async #write(type: JobEntry["type"], text: string): Promise<void> {
    const line = Buffer.from(`${this.#torn ? "\n" : ""}${text}`);
    for (let at = 0; at < line.length;) {
      at += (await this.#file.write(line, at)).bytesWritten;
      this.#torn = at < line.length;
    }
    if (MILESTONES.has(type)) await this.#file.sync();
  }
}
