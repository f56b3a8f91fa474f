import path from "node:path";
import { Deadline, monotonicMs } from "../base/deadline.ts";
import { trace } from "../base/trace.ts";
import { BROKER_VERSION } from "../base/version.ts";
import { removeIfThere } from "../os/atomic-file.ts";
import { livenessOf, type ProcessIdentity } from "../os/process-identity.ts";
import { killTreeProven } from "../os/kill-tree.ts";
import { killProven } from "../os/verified-kill.ts";
import { makeContact, type Introduction } from "./contact.ts";
import {
  forgetEpoch,
  listEpochs,
  publishEpoch,
  readEpoch,
  type ClaimedRecord,
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

  #schedule(ms: number): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#look().then(
        (more) => (more ? this.#schedule(LOOK_EVERY_MS) : undefined),
        (error: unknown) => {
          trace("warn", "retire.failed", { error: String(error) });
          this.#schedule(LOOK_EVERY_MS);
        },
      );
    }, ms);
  }

  /** @returns whether a predecessor is left to be watched. */
  async #look(): Promise<boolean> {
    const older = listEpochs(this.#scopeDir).filter((epoch) => epoch < this.#epoch);
    for (const epoch of older.slice(KEPT_EPOCHS)) forgetEpoch(this.#scopeDir, epoch);
    let left = false;
    for (const epoch of older) {
      const reading = readEpoch(this.#scopeDir, epoch);
      if (reading?.state !== "read" || reading.record.state === "ended") continue;
      if (await this.#attend(reading.record)) left = true;
    }
    return left;
  }

  /** @returns whether it must be looked at again. */
  async #attend(record: ClaimedRecord | ServingRecord): Promise<boolean> {
    const who = record.state === "serving" ? record.broker : record.claimant;
    const liveness = livenessOf(who);
    if (liveness === "gone") {
      this.#bury(record, `process ${who.pid} is gone and left no word`);
      return false;
    }
    // A claimant is a client at work on something else by now; and nobody can be proven from elsewhere.
    if (record.state === "claimed" || liveness === "unknown") return false;
    if (await this.#answers(record)) return true;
    return this.#endIfSilentTooLong(record);
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

  #endIfSilentTooLong(record: ServingRecord): boolean {
    const now = monotonicMs();
    const since = this.#silentSince.get(record.epoch) ?? now;
    this.#silentSince.set(record.epoch, since);
    if (now - since < END_AFTER_SILENCE_MS) return true;
    trace("warn", "retire.ending", { epoch: record.epoch, pid: record.broker.pid });
    const outcome = killProven(record.broker, "SIGKILL");
    if (outcome === "unproven") return false;
    endOrphan(record.appServer);
    this.#bury(record, `it neither answered nor ended, and was ended by epoch ${this.#epoch}`);
    return false;
  }

  #bury(record: ClaimedRecord | ServingRecord, reason: string): void {
    if (record.state === "serving") {
      removeSocketOf(record);
      endOrphan(record.appServer);
    }
    trace("info", "retire.wroteObituary", { epoch: record.epoch, reason });
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

/** An app-server ends when its broker has gone; one that is stopped or stuck does not notice. */
function endOrphan(appServer: ProcessIdentity | null): void {
  if (appServer !== null) killTreeProven(appServer);
}

/** The name carries epoch and instance, so it can be nobody else's socket. */
function removeSocketOf(record: ServingRecord): void {
  const mark = `.${record.epoch}.${record.instance.slice(0, 6)}.sock`;
  if (path.basename(record.endpoint).endsWith(mark)) removeIfThere(record.endpoint);
}
