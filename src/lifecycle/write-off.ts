import { trace } from "../base/trace.ts";
import { publishEpoch, readEpoch, type ServingRecord } from "./epoch-file.ts";
import { forgottenSince } from "./sign-of-life.ts";

/**
 * Writes the obituary of a broker whose process can never be verified from here, a day after its last
 * sign of life. Nothing is signalled, and its socket stays. A broker that runs after all finds that it
 * has lost its epoch, and lets its turns finish.
 *
 * @returns whether the obituary is written now.
 */
export function writeOff(scopeDir: string, { epoch, token }: ServingRecord): boolean {
  const reading = readEpoch(scopeDir, epoch);
  if (reading?.state !== "read" || reading.record.state !== "serving") return false;
  const { record } = reading;
  const forgotten = forgottenSince(scopeDir, record);
  if (record.token !== token || forgotten === undefined) return false;
  trace("info", "departed.writtenOff", { epoch, reason: forgotten.reason });
  publishEpoch(scopeDir, {
    ...record,
    state: "ended",
    reason: `${forgotten.reason}; written off by codex-broker doctor`,
    at: new Date().toISOString(),
    abnormal: false,
    exit: null,
    error: null,
    stderrTail: "",
  });
  return true;
}
