import { createHash } from "node:crypto";
import type { ProcessEntry } from "./kernel/kernel.ts";
import { pidExists } from "./kernel/pid-exists.ts";
import { thisKernel } from "./kernel/this-kernel.ts";

/** Where a pid means something. */
interface Place {
  /** Tells machines apart that share a home directory. */
  readonly hostId: string;
  readonly bootId: string | null;
  /** Pids of another pid namespace mean nothing in ours. */
  readonly pidNamespace: string | null;
}

/**
 * What tells one process from every other one that ever bore its pid. A field is null or absent where
 * this system does not have it; then less can be proven, and what cannot be proven is not acted upon.
 */
export interface ProcessIdentity extends Place {
  readonly pid: number;
  /** Opaque; equal for the same process only. Null where the system does not tell. */
  readonly startTime: string | null;
  /** Opaque; macOS has one. */
  readonly uniqueId?: string;
}

/** `gone` is a proof. `unknown` means that nothing was proven either way. */
export type Liveness = "alive" | "gone" | "unknown";

let own: ProcessIdentity | undefined;
let ownPlace: Place | undefined;

export function ownIdentity(): ProcessIdentity {
  own ??= identityOf(process.pid);
  return own;
}

/** Of a process that is known to run now, such as a child of ours that has not been waited for. */
export function identityOf(pid: number): ProcessIdentity {
  const entry = thisKernel().read(pid);
  return entry === undefined ? { pid, startTime: null, ...here() } : identityIn(entry);
}

/** Of the process that was looked at then, whoever has its pid now. */
export function identityIn({ pid, startTime, uniqueId }: ProcessEntry): ProcessIdentity {
  return { pid, startTime, ...here(), ...(uniqueId === undefined ? {} : { uniqueId }) };
}

/** Whether it names a process of another machine. The boot is that of one kernel, whatever its host is called. */
export function isOfOtherHost({ hostId, bootId }: ProcessIdentity): boolean {
  const place = here();
  return hostId !== place.hostId && (bootId === null || bootId !== place.bootId);
}

/** Whether the very process that this identity names still runs. A zombie counts as gone. */
export function livenessOf(identity: ProcessIdentity): Liveness {
  return livenessIn(identity, () => thisKernel().read(identity.pid));
}

/** The same of a process that is looked at in another way than by its number. */
export function livenessIn(
  identity: ProcessIdentity,
  read: () => ProcessEntry | undefined,
): Liveness {
  const { hostId, bootId, pidNamespace } = here();
  if (identity.hostId !== hostId) return "unknown";
  if (identity.bootId !== null && bootId !== null && identity.bootId !== bootId) return "gone";
  if (identity.pidNamespace !== pidNamespace) return "unknown";
  const found = read();
  if (found === undefined) return pidExists(identity.pid) ? "unknown" : "gone";
  if (identity.startTime === null) return "unknown";
  return isSame(identity, found) && !found.ended ? "alive" : "gone";
}

function isSame(identity: ProcessIdentity, found: ProcessEntry): boolean {
  if (found.startTime !== identity.startTime) return false;
  const bothHaveOne = identity.uniqueId !== undefined && found.uniqueId !== undefined;
  return !bothHaveOne || found.uniqueId === identity.uniqueId;
}

function here(): Place {
  ownPlace ??= {
    hostId: createHash("sha256").update(thisKernel().machine()).digest("hex").slice(0, 16),
    bootId: thisKernel().bootId(),
    pidNamespace: thisKernel().pidNamespace(),
  };
  return ownPlace;
}
