import path from "node:path";
import { Deadline, monotonicMs } from "../base/deadline.ts";
import { trace } from "../base/trace.ts";
import { BROKER_VERSION } from "../base/version.ts";
import { removeIfThere } from "../os/atomic-file.ts";
import { livenessOf, ownIdentity, type ProcessIdentity } from "../os/process-identity.ts";
import { killTreeProven } from "../os/kill-tree.ts";
import { killProven } from "../os/verified-kill.ts";
import { makeContact, type Introduction } from "./contact.ts";
import {
  forgetEpoch,
  listEpochs,
  publishEpoch,
  readEpoch,
  type ClaimedRecord,
  type EpochRecord,
  type ServingRecord,
} from "./epoch-file.ts";

/** Obituaries that are kept for whoever wants to know why brokers ended. */
const KEPT_EPOCHS = 20;
const FIRST_LOOK_MS = 1_000;
/** A predecessor may drain for as long as its turns run: there is no hurry. */
const LOOK_EVERY_MS = 5_000;
const ANSWER_WITHIN_MS = 2_000;
/** A predecessor that has answered nothing for this long is ended, by proof. */
const END_AFTER_SILENCE_MS = 30_000;

/**
 * What the current broker does about its predecessors: it watches them end, writes the obituary of
 * one that is proven gone, and as a last resort ends one that neither answers nor ends.
 */
export class Retirement {
  readonly #scopeDir: string;
  readonly #epoch: number;
  /** Since when each predecessor has kept silent. */
  readonly #silentSince = new Map<number, number>();
  readonly #endedByUs = new Set<number>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(scopeDir: string, epoch: number) {
    this.#scopeDir = scopeDir;
    this.#epoch = epoch;
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
    const older = listEpochs(this.#scopeDir).filter((epoch) => epoch < this.#epoch);
    for (const epoch of older.slice(KEPT_EPOCHS)) forgetEpoch(this.#scopeDir, epoch);
    for (const epoch of older) {
      const reading = readEpoch(this.#scopeDir, epoch);
      if (reading?.state === "read") await this.#attend(reading.record);
    }
  }

  async #attend(record: EpochRecord): Promise<void> {
    if (record.state === "ended") return;
    if (record.state === "claimed") {
      // Of a claim of this boot a broker may come yet, and one that is named nowhere cannot be proven gone.
      if (ofAnotherBoot(record.claimant)) this.#bury(record, "the system was started anew");
      return;
    }
    const { broker } = record;
    const liveness = livenessOf(broker);
    if (liveness === "gone") {
      return this.#bury(
        record,
        this.#endedByUs.has(record.epoch)
          ? `it neither answered nor ended, and was ended by epoch ${this.#epoch}`
          : `process ${broker.pid} is gone and left no word`,
      );
    }
    // Nobody can be proven from elsewhere.
    if (liveness === "unknown" || (await this.#answers(record))) return;
    this.#endIfSilentTooLong(record);
  }

  async #answers(record: ServingRecord): Promise<boolean> {
    const { contact, link } = await makeContact(
      record,
      introduction,
      Deadline.after(ANSWER_WITHIN_MS),
    );
    link?.connection.close();
    if (contact.kind === "hello") this.#silentSince.delete(record.epoch);
    return contact.kind === "hello";
  }

  #endIfSilentTooLong(record: ServingRecord): void {
    const now = monotonicMs();
    const since = this.#silentSince.get(record.epoch) ?? now;
    this.#silentSince.set(record.epoch, since);
    if (now - since < END_AFTER_SILENCE_MS) return;
    trace("warn", "retire.ending", { epoch: record.epoch, pid: record.broker.pid });
    const outcome = killProven(record.broker, "SIGKILL");
    if (outcome === "unproven") return void this.#silentSince.delete(record.epoch);
    // The next look proves that it is gone, and buries it.
    this.#endedByUs.add(record.epoch);
    endOrphan(record.appServer);
  }

  /** Its writer is proven gone, so what the file says now is its last word. */
  #bury({ epoch, token }: ClaimedRecord | ServingRecord, reason: string): void {
    const reading = readEpoch(this.#scopeDir, epoch);
    if (reading?.state !== "read" || reading.record.token !== token) return;
    const { record } = reading;
    if (record.state === "ended") return;
    if (record.state === "serving") {
      removeSocketOf(record);
      endOrphan(record.appServer);
    }
    trace("info", "retire.wroteObituary", { epoch, reason });
    publishEpoch(this.#scopeDir, {
      ...record,
      state: "ended",
      reason,
      at: new Date().toISOString(),
      abnormal: true,
      exit: null,
      error: null,
      stderrTail: "",
    });
  }
}

const introduction: Introduction = {
  clientInfo: { name: "codex-broker successor", title: null, version: BROKER_VERSION },
  capabilities: {},
  handlers: {},
};

/** Nothing of another boot runs any more, whether it is named or not. */
function ofAnotherBoot({ hostId, bootId }: ProcessIdentity): boolean {
  const here = ownIdentity();
  return hostId === here.hostId && bootId !== null && bootId !== here.bootId;
}

/** An app-server ends when its broker has gone; one that is stopped or stuck does not notice. */
function endOrphan(appServer: ProcessIdentity | null): void {
  if (appServer !== null) killTreeProven(appServer);
}

/** The name carries epoch and instance, so it can be nobody else's socket. */
function removeSocketOf(record: ServingRecord): void {
  const mark = `.${record.epoch}.${record.instance.slice(0, 6)}.sock`;
  if (path.basename(record.endpoint).endsWith(mark)) removeIfThere(record.endpoint);
}
