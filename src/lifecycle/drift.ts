import { fingerprintOf } from "../os/fingerprint.ts";
import { isNewer } from "./assess.ts";
import { changeOf, readCodexSettings } from "./codex-settings.ts";
import { BROKER_VERSION } from "../base/version.ts";
import type { EndedRecord, ServingRecord } from "./epoch-file.ts";

type Circumstances = Pick<ServingRecord, "codex" | "fingerprint" | "codexHome" | "settings">;

/**
 * What has changed since the broker started, in words; undefined when nothing has. What its
 * app-server has read then may not be what it would read now.
 */
export function driftOf(record: Circumstances): string | undefined {
  const fingerprint = fingerprintOf(record.codex);
  if (fingerprint !== null && fingerprint !== record.fingerprint) {
    return `the codex binary ${record.codex} has changed since the broker started`;
  }
  return changeOf(record.settings, readCodexSettings(record.codexHome));
}

/**
 * Whether what may have made this broker fail has changed since: codex, its configuration, its login, or
 * this program, when it is newer.
 */
export function hasOtherCause({
  codex,
  codexHome,
  fingerprint,
  settings,
  versions,
}: EndedRecord): boolean {
  if (versions === undefined || codex === undefined || codexHome === undefined) return false;
  if (fingerprint === undefined || settings === undefined) return false;
  if (isNewer(BROKER_VERSION, versions.broker)) return true;
  return driftOf({ codex, codexHome, fingerprint, settings }) !== undefined;
}
