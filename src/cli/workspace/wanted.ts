import { BROKER_VERSION } from "../../base/version.ts";
import type { ScopeOptions } from "../../lifecycle/scope.ts";
import type { BrokerLimits } from "../../lifecycle/start-protocol.ts";
import type { Given } from "../line/given.ts";
import type { scopeOptions, startOptions } from "../options.ts";

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
  const maxAge = given.amount("max-age", "hours");
  return {
    ...(startTimeoutMs === undefined ? {} : { startTimeoutMs }),
    limits: {
      ...(idleTimeoutMs === undefined ? {} : { idleTimeoutMs }),
      ...(maxAge === undefined ? {} : { maxAgeMs: maxAge * HOUR_MS }),
    },
  };
}

/** How a command introduces itself; `status` shows it. */
export function clientInfo(command: string): { name: string; version: string } {
  return { name: `codex-broker ${command}`, version: BROKER_VERSION };
}
