import { fingerprintOf } from "../os/fingerprint.ts";
import { changeOf, readCodexSettings } from "./codex-settings.ts";
import type { ServingRecord } from "./epoch-file.ts";

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
