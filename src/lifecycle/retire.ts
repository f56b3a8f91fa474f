import path from "node:path";
import { trace } from "../base/trace.ts";
import { marksOf } from "../os/file-mark.ts";
import { livenessOf, type ProcessIdentity } from "../os/process-identity.ts";
import { askOnce, bury, endByProof, isHung, isProvenGone } from "./departed.ts";
import {
  forgetEpoch,
  listEpochs,
  readEpoch,
  type EpochRecord,
  type ServingRecord,
} from "./epoch-file.ts";
import { addToFiguresSum } from "./figures-sum.ts";
import { clearLeftOvers } from "./left-overs.ts";
import { processesOfOtherBrokers } from "./living-brokers.ts";
import { Silence } from "./silence.ts";

/** Obituaries that are kept for whoever wants to know why brokers ended. */
const KEPT_EPOCHS = 20;
const FIRST_LOOK_MS = 1_000;
/** A predecessor may drain for as long as its turns run: there is no hurry. */
const LOOK_EVERY_MS = 5_000;

/**
 * What the current broker does about its predecessors: it watches them end, writes the obituary of
 * one that is proven gone, and as a last resort ends one that neither answers nor ends.
 */
export class Retirement {
  readonly #scopeDir: string;
  readonly #epoch: number;
  /** Of the predecessors that do not answer. */
  readonly #silences = new Map<number, Silence>();
  readonly #endedByUs = new Set<number>();
  /** Have an obituary, and nothing more will come of them. */
  readonly #over = new Set<number>();
  /** Of the directories, when there was nothing left to do. */
  #marks: string | undefined;
  #directories: readonly string[];
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(scopeDir: string, epoch: number) {
    this.#scopeDir = scopeDir;
    this.#epoch = epoch;
    this.#directories = [scopeDir];
    this.#schedule(FIRST_LOOK_MS);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  /** For as long as the broker lives: a slow predecessor may publish its record at any time. */
  #schedule(ms: number): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#look()
        .catch((error: unknown) => trace("warn", "retire.failed", { error: String(error) }))
        .finally(() => this.#schedule(LOOK_EVERY_MS));
    }, ms);
  }

  async #look(): Promise<void> {
    const marks = marksOf(this.#directories);
    if (marks !== undefined && marks === this.#marks) return;
    const older = listEpochs(this.#scopeDir).filter((epoch) => epoch < this.#epoch);
    for (const epoch of older) {
      if (this.#over.has(epoch)) continue;
      const reading = readEpoch(this.#scopeDir, epoch);
      if (reading?.state === "read") await this.#attend(reading.record);
    }
    const own = readEpoch(this.#scopeDir, this.#epoch);
    if (own?.state === "read" && own.record.state === "serving") {
      clearLeftOvers(this.#scopeDir, own.record);
      this.#directories = [this.#scopeDir, path.dirname(own.record.endpoint)];
    }
    for (const epoch of older.slice(KEPT_EPOCHS).toReversed()) this.#forget(epoch);
    this.#marks = older.every((epoch) => this.#over.has(epoch)) ? marks : undefined;
  }

  #forget(epoch: number): void {
    const reading = readEpoch(this.#scopeDir, epoch);
    if (reading?.state !== "read" || reading.record.state !== "ended") return;
    addToFiguresSum(this.#scopeDir, reading.record);
    forgetEpoch(this.#scopeDir, epoch);
  }

  async #attend(record: EpochRecord): Promise<void> {
    if (record.state === "ended") return void this.#over.add(record.epoch);
    if (isProvenGone(record)) {
      const others = await this.#others(record);
      return void bury(this.#scopeDir, record, this.#reasonOf(record), others);
    }
    if (record.state === "claimed") return;
    // Nobody can be proven from elsewhere.
    if (livenessOf(record.broker) === "unknown") return;
    if ((await askOnce(record)) === "silent") await this.#endIfHung(record);
    else this.#silences.delete(record.epoch);
  }

  #reasonOf(record: EpochRecord): string {
    if (record.state !== "serving") return "the system was started anew";
    return this.#endedByUs.has(record.epoch)
      ? `it neither answered nor ended, and was ended by epoch ${this.#epoch}`
      : `process ${record.broker.pid} is gone and left no word`;
  }

  async #others(record: EpochRecord): Promise<readonly ProcessIdentity[]> {
    return record.state === "serving"
      ? await processesOfOtherBrokers(this.#scopeDir, record.instance)
      : [];
  }

  async #endIfHung(record: ServingRecord): Promise<void> {
    const { epoch, broker } = record;
    const silence = this.#silences.get(epoch) ?? new Silence(broker);
    this.#silences.set(epoch, silence);
    silence.observe();
    if (!isHung(silence)) return;
    trace("warn", "retire.ending", { epoch, pid: broker.pid });
    const outcome = endByProof(record, await this.#others(record));
    // The next look proves that it is gone, and buries it.
    if (outcome === "unproven") this.#silences.delete(epoch);
    else this.#endedByUs.add(epoch);
  }
}
