import { monotonicMs } from "../base/deadline.ts";
import { settingsFiles } from "../lifecycle/codex-settings.ts";
import { driftOf } from "../lifecycle/drift.ts";
import type { ServingRecord } from "../lifecycle/epoch-file.ts";
import { marksOf } from "../os/file-mark.ts";

/** A file that is just being written is not what the successor is to start with. */
const SETTLED_AFTER_MS = 1_500;

/**
 * Notices for those who hold their connection what whoever asks for a broker sees anyway: that this
 * one was started under other circumstances.
 */
export class DriftWatch {
  readonly #record: ServingRecord;
  readonly #onDrift: (reason: string) => void;
  #seen: { readonly reason: string; readonly at: number } | undefined;
  #told: string | undefined;
  /** Of the files, when nothing had changed. */
  #marks: string | undefined;

  /** @param onDrift called once for each change that has settled. */
  constructor(record: ServingRecord, onDrift: (reason: string) => void) {
    this.#record = record;
    this.#onDrift = onDrift;
  }

  look(): void {
    const marks = marksOf([this.#record.codex, ...settingsFiles(this.#record.codexHome)]);
    if (marks !== undefined && marks === this.#marks) return;
    const reason = driftOf(this.#record);
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
