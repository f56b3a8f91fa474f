import { durationMs } from "../base/deadline.ts";
import { BrokerError } from "../base/errors.ts";
import { DEFAULT_LIMITS, type BrokerLimits } from "./start-protocol.ts";

/** Named as the published plugin's users know it. */
export const MAX_AGE_VARIABLE = "CODEX_COMPANION_BROKER_MAX_AGE_HOURS";

const HOUR_MS = 3_600_000;

const UNITS: Readonly<Record<keyof BrokerLimits, string>> = {
  idleTimeoutMs: "milliseconds",
  drainTimeoutMs: "milliseconds",
  maxAgeMs: "milliseconds",
  answerTimeoutMs: "milliseconds",
  maxMemoryBytes: "bytes",
  maxDescriptorPercent: "percent",
  maxDescendants: "processes",
  maxTransportFailures: "turns",
  minWearAgeMs: "milliseconds",
  maxSessions: "sessions",
  handshakeTimeoutMs: "milliseconds",
  maxThreads: "threads",
  maxWaitingRequests: "requests",
  maxQueuedTurns: "turns",
  maxLineBytes: "bytes",
  maxUnfinishedBytes: "bytes",
  maxUnreadBytes: "bytes",
  maxHeldEvents: "events",
  maxBacklogBytes: "bytes",
};

/**
 * The limits that hold for a call: what it asks for, else what the environment says, else the defaults.
 * A duration may be Infinity, which means no limit.
 *
 * @throws BrokerError `usage` for a value that is no limit.
 */
export function limitsOf(asked: Partial<BrokerLimits>, env: NodeJS.ProcessEnv): BrokerLimits {
  const limits: Record<keyof BrokerLimits, number> = {
    ...DEFAULT_LIMITS,
    maxAgeMs: maxAgeIn(env) ?? DEFAULT_LIMITS.maxAgeMs,
    ...asked,
  };
  for (const [name, unit] of Object.entries(UNITS) as Array<[keyof BrokerLimits, string]>) {
    const value = limits[name];
    if (unit === "milliseconds") {
      limits[name] = durationMs(value, name);
      continue;
    }
    const most = unit === "percent" ? 100 : Number.MAX_VALUE;
    if (Number.isFinite(value) && value >= 0 && value <= most) continue;
    throw new BrokerError("usage", `${name} is ${String(value)}, which is no number of ${unit}.`);
  }
  return limits;
}

function maxAgeIn(env: NodeJS.ProcessEnv): number | undefined {
  const value = env[MAX_AGE_VARIABLE];
  if (value === undefined || value === "") return undefined;
  const hours = Number(value);
  if (value.trim() !== "" && Number.isFinite(hours) && hours >= 0) return hours * HOUR_MS;
  throw new BrokerError(
    "usage",
    `${MAX_AGE_VARIABLE} is ${JSON.stringify(value)}, which is no number of hours.`,
    {
      hint: `Set ${MAX_AGE_VARIABLE} to a number of hours, or to 0 for no limit.`,
    },
  );
}
