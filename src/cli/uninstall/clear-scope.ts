import { FILE_OF_JOB, jobsDirectory } from "../../jobs/job-directory.ts";
import { bury } from "../../lifecycle/departed.ts";
import {
  epochLogPath,
  epochPath,
  listEpochs,
  readEpoch,
  type ClaimedRecord,
  type EpochRecord,
} from "../../lifecycle/epoch-file.ts";
import { processesOfOtherBrokers } from "../../lifecycle/living-brokers.ts";
import { CLAIM_LIMIT_MS } from "../../lifecycle/start-protocol.ts";
import { isPrivate } from "../../os/private-directory.ts";
import { livenessOf, type ProcessIdentity } from "../../os/process-identity.ts";
import type { Clearance } from "./clearance.ts";

const LOG_OR_FIGURES = /^(?:[1-9]\d*\.log|figures\.json)$/;

/**
 * Removes what the brokers of a scope have left, by its names. As long as one of them may still be there,
 * everything of the scope stays.
 */
export async function clearScope(directory: string, clearance: Clearance): Promise<void> {
  if (!isPrivate(directory)) {
    clearance.keep(directory, "it is not this user's alone");
    return;
  }
  // The newest last: whoever starts a broker meanwhile must not be given a number that was there before.
  for (const epoch of listEpochs(directory).toReversed()) {
    await clearEpoch(directory, epoch, clearance);
  }
  if (listEpochs(directory).length > 0) return;
  clearance.files(jobsDirectory(directory), FILE_OF_JOB);
  clearance.files(directory, LOG_OR_FIGURES);
}

async function clearEpoch(directory: string, epoch: number, clearance: Clearance): Promise<void> {
  const file = epochPath(directory, epoch);
  const reading = readEpoch(directory, epoch);
  if (reading === undefined) return;
  if (reading.state === "unreadable") {
    clearance.keep(file, `it does not say whose it is: ${reading.why}`);
    return;
  }
  const { record } = reading;
  const isOver =
    record.state === "ended" ||
    bury(directory, record, "codex-broker was uninstalled", await othersOf(directory, record)) ||
    (record.state === "claimed" && cameToNothing(record));
  if (isOver) {
    clearance.file(file);
    clearance.file(epochLogPath(directory, epoch));
  } else {
    const { pid } = record.state === "serving" ? record.broker : record.claimant;
    clearance.keep(file, `process ${pid}, which it names, is not proven to be gone`);
  }
}

async function othersOf(
  directory: string,
  record: EpochRecord,
): Promise<readonly ProcessIdentity[]> {
  return record.state === "serving"
    ? await processesOfOtherBrokers(directory, record.instance)
    : [];
}

/** Should its broker come after all, it finds that it has lost its epoch, and ends. */
function cameToNothing({ claimant, claimedAt }: ClaimedRecord): boolean {
  const isOld = !(Date.now() - Date.parse(claimedAt) <= CLAIM_LIMIT_MS);
  return isOld && livenessOf(claimant) === "gone";
}
