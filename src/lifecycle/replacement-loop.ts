import { BrokerError } from "../base/errors.ts";
import type { EpochRecord } from "./epoch-file.ts";

/** Replacements in a row within a minute. Each one that a person asked for counts apart. */
const MOST_A_MINUTE = 10;
const MINUTE_MS = 60_000;
/** A row of twice as many within this time goes on at one a minute. */
const LONG_ROW_MS = 10 * MINUTE_MS;

/** How many replacements a minute are no loop; 0 turns the limit off. */
export const MAX_REPLACEMENTS_VARIABLE = "CODEX_BROKER_MAX_REPLACEMENTS";

/** What a claim says of the broker that it supersedes. */
export type Supersession = Pick<EpochRecord, "claimedAt" | "supersedes">;

/** The reason of a replacement that a caller asked for. */
export const ON_REQUEST = "it is to be replaced";

export interface ReplacementLoop {
  /** How many in a row. */
  readonly count: number;
  /** Milliseconds until the next replacement is allowed. */
  readonly waitMs: number;
  /** The newest first. */
  readonly reasons: readonly string[];
}

/**
 * Returns how long to wait before one more broker is replaced. Whatever makes programs or hosts replace
 * each other's brokers, it must not become a storm.
 *
 * @param claims the newest first. A claim that superseded nothing ends the row.
 * @param onRequest whether a person asked for the replacement. Such requests are allowed twice as often,
 *   and only they are counted with the others.
 */
export function replacementLoopIn(
  claims: readonly Supersession[],
  now: number,
  onRequest: boolean,
  mostAMinute = MOST_A_MINUTE,
): ReplacementLoop | undefined {
  if (mostAMinute === 0) return undefined;
  const first = claims.findIndex(({ supersedes }) => supersedes === undefined);
  const row = (first === -1 ? claims : claims.slice(0, first)).filter(
    ({ supersedes }) => onRequest || supersedes !== ON_REQUEST,
  );
  const most = onRequest ? 2 * mostAMinute : mostAMinute;
  const waitMs = Math.max(
    waitFor(row[most - 1], now, MINUTE_MS),
    isLong(row, 2 * most, now) ? waitFor(row[0], now, MINUTE_MS) : 0,
  );
  if (waitMs === 0) return undefined;
  const reasons = row.map(({ supersedes }) => supersedes ?? "");
  return { count: row.length, waitMs, reasons };
}

/** Milliseconds until the claim is that old. A clock that was set back must not lock anyone out. */
function waitFor(claim: Supersession | undefined, now: number, ageMs: number): number {
  if (claim === undefined) return 0;
  const waitMs = Date.parse(claim.claimedAt) + ageMs - now;
  return waitMs > 0 && waitMs <= ageMs ? waitMs : 0;
}

function isLong(row: readonly Supersession[], count: number, now: number): boolean {
  return waitFor(row[count - 1], now, LONG_ROW_MS) > 0;
}

/** @throws BrokerError `usage` for a value that is no number of replacements. */
export function mostReplacementsIn(env: NodeJS.ProcessEnv): number {
  const text = env[MAX_REPLACEMENTS_VARIABLE];
  if (text === undefined || text === "") return MOST_A_MINUTE;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new BrokerError(
    "usage",
    `${MAX_REPLACEMENTS_VARIABLE} is ${JSON.stringify(text)}, which is no number of replacements.`,
    { hint: `Set ${MAX_REPLACEMENTS_VARIABLE} to a whole number, or to 0 for no limit.` },
  );
}
