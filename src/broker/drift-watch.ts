import { monotonicMs } from "../base/deadline.ts";
import { settingsFiles } from "../lifecycle/codex-settings.ts";
import { findDrift } from "../lifecycle/drift.ts";
import type { ServingRecord } from "../lifecycle/epoch-file.ts";
import type { FileLane } from "../os/file-lane.ts";
import { readMarks } from "../os/file-mark.ts";

/** A file that is just being written is not what the successor is to start with. */
const SETTLED_AFTER_MS = 1_500;
/** The files may be on a remote disk: no answer within this time proves nothing. */
const ANSWER_WITHIN_MS = 5_000;

/**
 * Notices for those who hold their connection what whoever asks for a broker sees anyway: that this
 * one was started under other circumstances.
 */
export class DriftWatch {
  readonly #record: ServingRecord;
  readonly #onDrift: (reason: string) => void;
  readonly #lane: FileLane;
  #seen: { readonly reason: string; readonly at: number } | undefined;
  #told: string | undefined;
  /** Of the files, when nothing had changed. */
  #marks: string | undefined;

  /** @param onDrift called once for each change that has settled. */
  constructor(record: ServingRecord, lane: FileLane, onDrift: (reason: string) => void) {
    this.#record = record;
    this.#lane = lane;
    this.#onDrift = onDrift;
  }

  async look(): Promise<void> {
    if (this.#lane.busy) return;
    const { codex, codexHome } = this.#record;
    const seen = await this.#lane.run(async () => {
      const marks = await readMarks([codex, ...settingsFiles(codexHome)]);
      if (marks !== undefined && marks === this.#marks) return undefined;
      return { marks, reason: await findDrift(this.#record) };
    }, ANSWER_WITHIN_MS);
    if (seen === undefined) return;
    const { marks, reason } = seen;
    this.#marks = reason === undefined ? marks : undefined;
    if (reason === undefined || this.#seen?.reason !== reason) {
      this.#seen = reason === undefined ? undefined : { reason, at: monotonicMs() };
      return;
    }
    if (this.#told === reason || monotonicMs() - this.#seen.at < SETTLED_AFTER_MS) return;
    this.#told = reason;
    this.#onDrift(reason);
  }
}
