import { BROKER_VERSION } from "../../base/version.ts";
import { wantsPrivacy, type ScopeOptions } from "../../lifecycle/scope.ts";
import type { BrokerLimits } from "../../lifecycle/start-protocol.ts";
import type { Given } from "../line/given.ts";
import type { scopeOptions, sharingOptions, startOptions } from "../options.ts";

const HOUR_MS = 3_600_000;
const MEGABYTE = 1e6;

/** Which broker is meant. */
export function wantedScope(given: Given<typeof scopeOptions>): ScopeOptions {
  const cwd = given.text("cwd");
  const codex = given.text("codex");
  const label = given.text("label");
  return {
    // Most commands are about the broker that is shared, whatever the environment says.
    private: false,
    ...(cwd === undefined ? {} : { cwd }),
    ...(codex === undefined ? {} : { codex }),
    ...(label === undefined ? {} : { label }),
  };
}

/** Whether the command is to have an app-server of its own. */
export function wantedSharing(given: Given<typeof sharingOptions>): { readonly private: boolean } {
  return { private: given.has("private") || wantsPrivacy(process.env) };
}

/** How it is started, should none be there. */
export function wantedStart(given: Given<typeof startOptions>): {
  readonly startTimeoutMs?: number;
  readonly limits: Partial<BrokerLimits>;
} {
  const startTimeoutMs = given.seconds("start-timeout");
  const maxAge = given.amount("max-age", "hours");
  const maxMemory = given.amount("max-memory", "megabytes");
  return {
    ...(startTimeoutMs === undefined ? {} : { startTimeoutMs }),
    limits: onlyGiven({
      idleTimeoutMs: given.seconds("idle-timeout"),
      answerTimeoutMs: given.seconds("answer-timeout"),
      maxAgeMs: maxAge === undefined ? undefined : maxAge * HOUR_MS,
      maxMemoryBytes: maxMemory === undefined ? undefined : maxMemory * MEGABYTE,
      maxDescriptorPercent: given.amount("max-descriptors", "percent", 100),
      maxDescendants: given.amount("max-descendants", "processes"),
      maxTransportFailures: given.amount("max-failures", "turns"),
    }),
  };
}

function onlyGiven(limits: {
  readonly [Name in keyof BrokerLimits]?: number | undefined;
}): Partial<BrokerLimits> {
  return Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined));
}

/** How a command introduces itself; `status` shows it. */
export function clientInfo(command: string): { name: string; version: string } {
  return { name: `codex-broker ${command}`, version: BROKER_VERSION };
}
