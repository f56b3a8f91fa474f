import { readFingerprint, UNKNOWN_FINGERPRINT } from "../os/fingerprint.ts";
import { BROKER_VERSION } from "../base/version.ts";
import { isNewer } from "./assess.ts";
import {
  changeOf,
  haveOtherContent,
  isKnown,
  readCodexSettings,
  type CodexSettings,
} from "./codex-settings.ts";
import type { EndedRecord, ServingRecord } from "./epoch-file.ts";

/** What Codex starts with. */
export interface Circumstances {
  readonly fingerprint: string;
  readonly settings: CodexSettings;
}

export type CodexPlace = Pick<ServingRecord, "codex" | "codexHome" | "workspace">;

/** Reads what Codex would start with now. */
export async function readCircumstances(place: CodexPlace): Promise<Circumstances> {
  const { codex, codexHome, workspace } = place;
  return {
    fingerprint: await readFingerprint(codex),
    settings: await readCodexSettings(codexHome, workspace),
  };
}

/**
 * Returns what has changed, in words; undefined when nothing has. What an app-server has read at its
 * start may not be what it would read now.
 */
export function driftBetween(before: Circumstances, now: Circumstances): string | undefined {
  const known = ![before.fingerprint, now.fingerprint].includes(UNKNOWN_FINGERPRINT);
  if (known && before.fingerprint !== now.fingerprint) {
    return "the codex binary has changed since the broker started";
  }
  return changeOf(before.settings, now.settings);
}

/** Returns `before` with what could not be read then as it is now. */
export function completed(before: Circumstances, now: Circumstances): Circumstances {
  const known = (then: string, since: string): string => (isKnown(then) ? then : since);
  const { config, trust, login } = before.settings;
  return {
    fingerprint: before.fingerprint === UNKNOWN_FINGERPRINT ? now.fingerprint : before.fingerprint,
    settings: {
      config: known(config, now.settings.config),
      trust: known(trust, now.settings.trust),
      login: known(login, now.settings.login),
    },
  };
}

/**
 * Whether what may have made this broker fail has changed since: codex, its configuration, its login, or
 * this program, when it is newer.
 */
export async function hasOtherCause(record: EndedRecord): Promise<boolean> {
  const { codex, codexHome, workspace, fingerprint, settings, versions } = record;
  if (versions === undefined || codex === undefined || codexHome === undefined) return false;
  if (fingerprint === undefined || settings === undefined || workspace === undefined) return false;
  if (isNewer(BROKER_VERSION, versions.broker)) return true;
  const before = { fingerprint, settings };
  const now = await readCircumstances({ codex, codexHome, workspace });
  return driftBetween(before, now) !== undefined || haveOtherContent(settings, now.settings);
}
