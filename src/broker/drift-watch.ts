import { monotonicMs } from "../base/deadline.ts";
import { driftOf } from "../lifecycle/drift.ts";
import type { ServingRecord } from "../lifecycle/epoch-file.ts";

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

  /** @param onDrift called once for each change that has settled. */
  constructor(record: ServingRecord, onDrift: (reason: string) => void) {
    this.#record = record;
    this.#onDrift = onDrift;
  }

  look(): void {
    const reason = driftOf(this.#record);
    if (reason === undefined || this.#seen?.reason !== reason) {
      this.#seen = reason === undefined ? undefined : { reason, at: monotonicMs() };
      return;
    }
    if (this.#told === reason || monotonicMs() - this.#seen.at < SETTLED_AFTER_MS) return;
    this.#told = reason;
    this.#onDrift(reason);
  }
}
