import { BrokerError } from "../../base/errors.ts";
import { BROKER_VERSION } from "../../base/version.ts";
import type { ScopeOptions } from "../../lifecycle/scope.ts";
import type { BrokerLimits } from "../../lifecycle/start-protocol.ts";
import { parseAmount, type Given } from "../line/given.ts";
import type { scopeOptions, startOptions } from "../options.ts";

const MAX_AGE_VARIABLE = "CODEX_COMPANION_BROKER_MAX_AGE_HOURS";
const HOUR_MS = 3_600_000;

/** Which broker is meant. */
export function wantedScope(given: Given<typeof scopeOptions>): ScopeOptions {
  const cwd = given.text("cwd");
  const codex = given.text("codex");
  const label = given.text("label");
  return {
    ...(cwd === undefined ? {} : { cwd }),
    ...(codex === undefined ? {} : { codex }),
    ...(label === undefined ? {} : { label }),
  };
}

/** How it is started, should none be there. */
export function wantedStart(given: Given<typeof startOptions>): {
  readonly startTimeoutMs?: number;
  readonly limits: Partial<BrokerLimits>;
} {
  const startTimeoutMs = given.seconds("start-timeout");
  const idleTimeoutMs = given.seconds("idle-timeout");
  const maxAge = given.amount("max-age", "hours") ?? maxAgeOfEnvironment();
  return {
    ...(startTimeoutMs === undefined ? {} : { startTimeoutMs }),
    limits: {
      ...(idleTimeoutMs === undefined ? {} : { idleTimeoutMs }),
      ...(maxAge === undefined ? {} : { maxAgeMs: maxAge * HOUR_MS }),
    },
  };
}

function maxAgeOfEnvironment(): number | undefined {
  const value = process.env[MAX_AGE_VARIABLE];
  if (value === undefined || value === "") return undefined;
  const hours = parseAmount(value);
  if (hours !== undefined) return hours;
  throw new BrokerError(
    "usage",
    `${MAX_AGE_VARIABLE} is ${JSON.stringify(value)}, which is no number of hours.`,
    {
      hint: `Set ${MAX_AGE_VARIABLE} to a number of hours, or to 0 for no limit.`,
    },
  );
}

/** How a command introduces itself; `status` shows it. */
export function clientInfo(command: string): { name: string; version: string } {
  return { name: `codex-broker ${command}`, version: BROKER_VERSION };
}
