import path from "node:path";
import { trace } from "../base/trace.ts";
import { removeIfThere } from "../os/atomic-file.ts";
import { livenessOf } from "../os/process-identity.ts";
import {
  forgetEpoch,
  listEpochs,
  publishEpoch,
  readEpoch,
  type ClaimedRecord,
  type ServingRecord,
} from "./epoch-file.ts";

/** Obituaries that are kept for whoever wants to know why brokers ended. */
const KEPT_EPOCHS = 10;

/**
 * What the current broker does about its predecessors: whoever is proven gone and left no obituary
 * gets one, and its socket is removed. One that still lives steps down by itself.
 */
export function retirePredecessors(scopeDir: string, currentEpoch: number): void {
  const older = listEpochs(scopeDir).filter((epoch) => epoch < currentEpoch);
  for (const epoch of older) {
    const reading = readEpoch(scopeDir, epoch);
    if (reading?.state !== "read" || reading.record.state === "ended") continue;
    retire(scopeDir, reading.record);
  }
  for (const epoch of older.slice(KEPT_EPOCHS)) forgetEpoch(scopeDir, epoch);
}

function retire(scopeDir: string, record: ClaimedRecord | ServingRecord): void {
  const who = record.state === "serving" ? record.broker : record.claimant;
  if (livenessOf(who) !== "gone") return;
  if (record.state === "serving") removeSocketOf(record);
  trace("info", "retire.wroteObituary", { epoch: record.epoch });
  publishEpoch(scopeDir, {
    ...record,
    state: "ended",
    reason: `process ${who.pid} is gone and left no word`,
    at: new Date().toISOString(),
    exit: null,
    error: null,
    stderrTail: "",
  });
}

/** The name carries epoch and instance, so it can be nobody else's socket. */
function removeSocketOf(record: ServingRecord): void {
  const mark = `.${record.epoch}.${record.instance.slice(0, 6)}.sock`;
  if (path.basename(record.endpoint).endsWith(mark)) removeIfThere(record.endpoint);
}
