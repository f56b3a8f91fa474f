import { isNewer } from "./assess.ts";
import { BROKER_VERSION } from "../base/version.ts";
import type { EndedRecord, ServingRecord } from "./epoch-file.ts";
import { fingerprintOf, readFingerprint } from "../os/fingerprint.ts";
import {
  changeOf,
  loadCodexSettings,
  readCodexSettings,
  type CodexSettings,
} from "./codex-settings.ts";

/** Of a binary that could not be read when the broker started: differs from nothing. */
export const UNKNOWN_FINGERPRINT = "unknown";

type Recorded = Pick<ServingRecord, "codex" | "fingerprint" | "codexHome" | "settings">;

/** What Codex starts with. The fingerprint is null where the binary cannot be read. */
export interface Circumstances {
  readonly fingerprint: string | null;
  readonly settings: CodexSettings;
}

/**
 * What has changed since the broker started, in words; undefined when nothing has. What its
 * app-server has read then may not be what it would read now.
 */
export function driftOf(record: Recorded): string | undefined {
  return driftIn(record, {
    fingerprint: fingerprintOf(record.codex),
    settings: readCodexSettings(record.codexHome),
  });
}

/** The same without blocking: both paths may be on a remote disk. */
export async function findDrift(record: Recorded): Promise<string | undefined> {
  return driftIn(record, await readCircumstances(record));
}

/** Reads what Codex would start with now. */
export async function readCircumstances({
  codex,
  codexHome,
}: Pick<Recorded, "codex" | "codexHome">): Promise<Circumstances> {
  return {
    fingerprint: await readFingerprint(codex),
    settings: await loadCodexSettings(codexHome),
  };
}

function driftIn(record: Recorded, { fingerprint, settings }: Circumstances): string | undefined {
  if (fingerprint !== null && differs(fingerprint, record.fingerprint)) {
    return `the codex binary ${record.codex} has changed since the broker started`;
  }
  return changeOf(record.settings, settings);
}

function differs(now: string, then: string): boolean {
  return then !== UNKNOWN_FINGERPRINT && now !== then;
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
