import path from "node:path";
import { CURRENT_NAME, SOCKET_NAME } from "../os/endpoint.ts";
import { livenessOf } from "../os/process-identity.ts";
import { listScopes } from "./census.ts";
import { listEpochs, readEpoch, type EpochReading } from "./epoch-file.ts";
import { CLAIM_LIMIT_MS } from "./start-protocol.ts";

/** `foreign`: the records that could lead there are in another state directory, which is not ours to judge. */
export type SocketOwner = "in use" | "unused" | "foreign";

/** Whether a record says that a broker may use this socket or fixed path. No connection is tried. */
export function ownerOfSocket(stateDir: string, file: string): SocketOwner {
  const name = path.basename(file);
  const shortKey = (SOCKET_NAME.exec(name) ?? CURRENT_NAME.exec(name))?.[1];
  if (shortKey === undefined) return "foreign";
  const scope = listScopes(stateDir).find(({ key }) => key.startsWith(shortKey));
  if (scope === undefined) return isInside(stateDir, file) ? "unused" : "foreign";
  const epoch = Number(SOCKET_NAME.exec(name)?.[2] ?? Number.NaN);
  const epochs = Number.isNaN(epoch) ? listEpochs(scope.directory) : [epoch];
  const isUsed = epochs.some((each) => mayUse(readEpoch(scope.directory, each), file));
  return isUsed ? "in use" : "unused";
}

/** A file that cannot be read says nothing about what its broker uses. */
function mayUse(reading: EpochReading | undefined, file: string): boolean {
  if (reading === undefined) return false;
  if (reading.state === "unreadable") return !reading.damaged;
  const { record } = reading;
  switch (record.state) {
    case "ended":
      return false;
    case "claimed": {
      const isYoung = Date.now() - Date.parse(record.claimedAt) <= CLAIM_LIMIT_MS;
      return isYoung && livenessOf(record.claimant) !== "gone";
    }
    case "serving":
      if (livenessOf(record.broker) === "gone") return false;
      return record.endpoint === file || record.current === file;
  }
}

function isInside(stateDir: string, file: string): boolean {
  return path.dirname(path.dirname(file)) === stateDir;
}
