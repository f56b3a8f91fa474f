import { BrokerError } from "../base/errors.ts";
import { trace } from "../base/trace.ts";

/**
 * The oldest codex that has all the methods which the broker itself needs. Tried on the real ones:
 * 0.120.0 has no `thread/turns/list`; 0.124.0, 0.140.0, 0.154.0 and 0.169.0 have it, and with it
 * `thread/start`, `thread/loaded/list`, `thread/resume`, `thread/unsubscribe`, `turn/start`,
 * `turn/steer` and `turn/interrupt`. (`server/diagnostics` came between 0.140.0 and 0.154.0.)
 */
export const MINIMUM_CODEX = "0.124.0";

const RELEASE = /^(\d+)\.(\d+)\.(\d+)$/;

/** `0.169.0` of `doc/0.169.0 (Debian 12.0.0; x86_64) …`; undefined when there is nothing like it. */
export function codexVersionFrom(userAgent: string): string | undefined {
  return /^[^/]*\/(\d[^\s()]*)/.exec(userAgent)?.[1];
}

/**
 * A pre-release, a build of one's own (0.0.0) or a version that cannot be read is let through with a
 * warning: who runs one knows it, and may well have all the methods.
 *
 * @throws BrokerError `codexTooOld` for a release older than {@link MINIMUM_CODEX}.
 */
export function requireSupported(version: string | null | undefined, codex: string): void {
  if (version === "0.0.0" || !RELEASE.test(version ?? "")) {
    return trace("warn", "appServer.versionUnknown", { codex, version, minimum: MINIMUM_CODEX });
  }
  if (compare(version ?? "", MINIMUM_CODEX) >= 0) return;
  throw new BrokerError(
    "codexTooOld",
    `${codex} has version ${version ?? ""}; at least ${MINIMUM_CODEX} is needed.`,
    {
      details: { codex, version, minimum: MINIMUM_CODEX },
    },
  );
}

function compare(a: string, b: string): number {
  const [left, right] = [a, b].map((version) => version.split(".").map(Number));
  const differences = (left ?? []).map((part, index) => part - (right?.[index] ?? 0));
  return differences.find((difference) => difference !== 0) ?? 0;
}
