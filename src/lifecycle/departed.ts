import path from "node:path";
import { Deadline } from "../base/deadline.ts";
import { trace } from "../base/trace.ts";
import { removeIfThere } from "../os/atomic-file.ts";
import { killTreeProven } from "../os/kill-tree.ts";
import {
  isOfOtherHost,
  livenessOf,
  ownIdentity,
  type ProcessIdentity,
} from "../os/process-identity.ts";
import { socketsAt } from "../os/unix-sockets.ts";
import type { KillOutcome } from "../os/verified-kill.ts";
import { makeContact } from "./contact.ts";
import {
  publishEpoch,
  readEpoch,
  type ClaimedRecord,
  type EpochRecord,
  type ServingRecord,
} from "./epoch-file.ts";
import { evidenceOf } from "./evidence.ts";
import { asSuccessor } from "./older-brokers.ts";
import type { Silence } from "./silence.ts";

/** A broker that has answered nothing for this long, and whose process was idle, may be ended by proof. */
export const END_AFTER_SILENCE_MS = 30_000;
/** One whose process is at work is ended by its own watchdog long before. */
const END_AT_WORK_AFTER_MS = 300_000;
const ANSWER_WITHIN_MS = 2_000;

/**
 * Of a claim of this boot a broker may come yet, and one that is named nowhere cannot be proven gone;
 * of a claim of another boot none can.
 */
export function isProvenGone(record: EpochRecord): boolean {
  switch (record.state) {
    case "claimed":
      return ofAnotherBoot(record.claimant);
    case "serving":
      return livenessOf(record.broker) === "gone";
    case "ended":
      return true;
  }
}

/**
 * Asks once. `silent` counts towards the end of the process; `unknown` does not: not being able to ask
 * proves nothing, and neither does an address where the broker cannot be found any more.
 */
export async function askOnce(record: ServingRecord): Promise<"runs" | "silent" | "unknown"> {
  const deadline = Deadline.after(ANSWER_WITHIN_MS);
  const { contact, link } = await makeContact(record, asSuccessor, deadline);
  link?.connection.close();
  const { proves, countsAsSilence } = evidenceOf(contact, isOfOtherHost(record.broker));
  if (countsAsSilence) {
    return contact.kind === "refused" && mayListen(record, contact.code) ? "unknown" : "silent";
  }
  return proves === "the broker runs" || proves === "a listener runs" ? "runs" : "unknown";
}

/**
 * Whether the broker may listen although its address refuses connections: somebody has removed its
 * socket. Only the kernel knows what a process has bound.
 */
function mayListen({ broker, endpoint }: ServingRecord, code: string): boolean {
  if (process.platform === "win32") return false;
  const bound = socketsAt(endpoint, broker.pid);
  return bound === undefined ? code === "ENOENT" : bound.listener !== undefined;
}

/** Whether a broker has been silent for so long, and its process idle, that it may be ended by proof. */
export function isHung({ forMs, idleMs }: Silence): boolean {
  return idleMs >= END_AFTER_SILENCE_MS || forMs >= END_AT_WORK_AFTER_MS;
}

/**
 * Ends a broker that neither answers nor ends, and its app-server: by proof, or not at all.
 *
 * @param others the processes of other brokers that live, which a command may have started there.
 */
export function endByProof(
  { broker, appServer }: ServingRecord,
  others: readonly ProcessIdentity[],
): KillOutcome {
  // With its tree: Windows ends an app-server with its broker, and then nothing leads to its helpers.
  const outcome = killTreeProven(broker, others);
  if (outcome !== "unproven") endOrphan(appServer, others);
  return outcome;
}

/**
 * Writes the last word of a broker that left none, ends the app-server it has left behind and removes
 * its socket. Nothing of that happens unless it is proven gone at this moment.
 *
 * @returns whether the obituary is written now.
 */
export function bury(
  scopeDir: string,
  { epoch, token }: ClaimedRecord | ServingRecord,
  reason: string,
  others: readonly ProcessIdentity[],
): boolean {
  const reading = readEpoch(scopeDir, epoch);
  if (reading?.state !== "read" || reading.record.token !== token) return false;
  const { record } = reading;
  if (record.state === "ended" || !isProvenGone(record)) return false;
  if (record.state === "serving") {
    endOrphan(record.appServer, others);
    removeSocketOf(record);
  }
  trace("info", "departed.buried", { epoch, reason });
  publishEpoch(scopeDir, {
    ...record,
    state: "ended",
    reason,
    at: new Date().toISOString(),
    abnormal: true,
    exit: null,
    error: null,
    stderrTail: "",
  });
  return true;
}

/** Nothing of another boot runs any more, whether it is named or not. */
export function ofAnotherBoot({ hostId, bootId }: ProcessIdentity): boolean {
  const here = ownIdentity();
  return hostId === here.hostId && bootId !== null && bootId !== here.bootId;
}

/** An app-server ends when its broker has gone; one that is stopped or stuck does not notice. */
function endOrphan(appServer: ProcessIdentity | null, others: readonly ProcessIdentity[]): void {
  if (appServer !== null) killTreeProven(appServer, others);
}

/** The name carries epoch and instance, so it can be nobody else's socket. */
function removeSocketOf(record: ServingRecord): void {
  const mark = `.${record.epoch}.${record.instance.slice(0, 6)}.sock`;
  if (path.basename(record.endpoint).endsWith(mark)) removeIfThere(record.endpoint);
}
