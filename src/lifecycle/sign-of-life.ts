import { statSync } from "node:fs";
import { livenessOf, type ProcessIdentity } from "../os/process-identity.ts";
import { epochPath, type ServingRecord } from "./epoch-file.ts";

/** Far more than a missed heartbeat, a sleeping machine or clocks that differ can explain. */
const FORGOTTEN_AFTER_MS = 24 * 3_600_000;

/** A broker whose process can never be verified from here, without a sign of life for a day. */
export interface Forgotten {
  /** ISO 8601. */
  readonly lastSignAt: string;
  readonly reason: string;
}

/**
 * Returns why the broker of a record is no longer listed, or undefined where it is: its process can be
 * verified, or it has touched its epoch file within a day.
 */
export function forgottenSince(
  scopeDir: string,
  { epoch, broker, startedAt }: Pick<ServingRecord, "epoch" | "broker" | "startedAt">,
  now: number = Date.now(),
): Forgotten | undefined {
  if (livenessOf(broker) !== "unknown") return undefined;
  const lastSign = Math.max(touchedAt(epochPath(scopeDir, epoch)), Date.parse(startedAt) || 0);
  if (now - lastSign < FORGOTTEN_AFTER_MS) return undefined;
  const lastSignAt = new Date(lastSign).toISOString();
  return { lastSignAt, reason: `${placeOf(broker)}, without a sign of life since ${lastSignAt}` };
}

function placeOf({ hostId }: ProcessIdentity): string {
  return `process of another host or container (${hostId})`;
}

function touchedAt(file: string): number {
  try {
    return statSync(file).mtimeMs;
  } catch {
    return 0;
  }
}
