import { rssOf, type ProcessUsage, type Usage } from "../base/usage.ts";
import type { Wear } from "../lifecycle/epoch-file.ts";
import type { BrokerLimits } from "../lifecycle/start-protocol.ts";

/** What wore a broker out, and the same in words. */
export interface WornOut {
  readonly wear: Wear;
  readonly reason: string;
}

/** Whether it uses more than it may. What is not known is within every limit. */
export function overBudget(usage: Usage, limits: BrokerLimits): WornOut | undefined {
  return (
    overMemory(usage, limits.maxMemoryBytes) ??
    overDescriptors("the app-server", usage.appServer, limits.maxDescriptorPercent) ??
    overDescriptors("the broker", usage.broker, limits.maxDescriptorPercent) ??
    overDescendants(usage, limits.maxDescendants)
  );
}

function overMemory(usage: Usage, limit: number): WornOut | undefined {
  const used = rssOf(usage);
  if (limit === 0 || used <= limit) return undefined;
  return {
    wear: "memory",
    reason: `over budget: ${megabytes(used)} of memory; the limit is ${megabytes(limit)}`,
  };
}

function overDescriptors(
  who: string,
  usage: ProcessUsage | null,
  percent: number,
): WornOut | undefined {
  const { descriptors: open, descriptorLimit: of } = usage ?? NOTHING;
  if (percent === 0 || open === null || of === null || open * 100 <= of * percent) return undefined;
  return {
    wear: "descriptors",
    reason: `over budget: ${who} has ${open} of ${of} descriptors open; the limit is ${percent} %`,
  };
}

const NOTHING = { descriptors: null, descriptorLimit: null };

function overDescendants({ descendants }: Usage, limit: number): WornOut | undefined {
  const count = descendants?.count ?? 0;
  if (limit === 0 || count <= limit) return undefined;
  return {
    wear: "descendants",
    reason: `over budget: the app-server has started ${count} processes that still run; the limit is ${limit}`,
  };
}

/** Whether too many turns in a row, the latest included, have not reached the model. */
export function worksInVain(failuresInARow: number, limits: BrokerLimits): WornOut | undefined {
  const limit = limits.maxTransportFailures;
  if (limit === 0 || failuresInARow < limit) return undefined;
  return { wear: "transport", reason: `${failuresInARow} turns in a row did not reach the model` };
}

/** What a broker has behind it. */
export interface Life {
  readonly ageMs: number;
  /** Whether any of its turns has reached the model. */
  readonly everReached: boolean;
  /** What wore its predecessors out, the newest first. */
  readonly predecessors: readonly (Wear | undefined)[];
}

/**
 * Whether a successor may be better off. If the predecessor made room because it did not reach the
 * model, and this one never has either, it is the network that is down.
 */
export function isWorthASuccessor({ wear }: WornOut, life: Life, minWearAgeMs: number): boolean {
  const { ageMs, everReached, predecessors } = life;
  if (wear === "transport" && predecessors[0] === "transport" && !everReached) return false;
  return ageMs >= patienceMs(minWearAgeMs, predecessors);
}

/** However often it did not help, a day sees a few tries. */
const LONGEST_PATIENCE_MS = 6 * 3_600_000;

/** How old a broker must be to end because it is worn out. */
export function patienceMs(minWearAgeMs: number, predecessors: Life["predecessors"]): number {
  const other = predecessors.findIndex((wear) => wear === undefined || wear === "age");
  const inARow = other === -1 ? predecessors.length : other;
  return Math.max(minWearAgeMs, Math.min(minWearAgeMs * 2 ** inARow, LONGEST_PATIENCE_MS));
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}
