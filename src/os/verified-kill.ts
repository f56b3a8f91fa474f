import { trace } from "../base/trace.ts";
import type { ProcessHold, Signal } from "./kernel/kernel.ts";
import { thisKernel } from "./kernel/this-kernel.ts";
import { livenessIn, livenessOf, type ProcessIdentity } from "./process-identity.ts";

/** `unproven`: nothing was signalled, because it could not be proven to be that very process. */
export type KillOutcome = "signalled" | "gone" | "unproven";

/**
 * Signals the very process that the identity names, or nobody.
 *
 * First a hold on the process (a descriptor on Linux, a HANDLE on Windows, an audit token on macOS),
 * then its identity, then the signal through that hold: the pid may be recycled meanwhile without the
 * signal reaching anyone else. Without koffi Linux has its identity read right before the signal,
 * which leaves some microseconds; Windows and macOS have nothing signalled at all.
 */
export function killProven(identity: ProcessIdentity, signal: Signal): KillOutcome {
  const hold = isOfOurLine(identity.pid) ? undefined : thisKernel().hold(identity.pid);
  const outcome = hold === undefined ? withoutProof(identity) : killThrough(hold, identity, signal);
  trace("warn", "kill.verified", { pid: identity.pid, signal, outcome });
  return outcome;
}

/** Ourselves and those whom we descend from: whatever a record says, they are no broker that hangs. */
export function isOfOurLine(pid: number): boolean {
  let at = process.pid;
  while (at > 1 && at !== pid) at = thisKernel().read(at)?.ppid ?? 0;
  return at === pid || pid <= 1;
}

/** Whether no recycled pid can be hit by a signal, however late it is. */
export function signalsThroughDescriptors(): boolean {
  return thisKernel().canHold();
}

function withoutProof(identity: ProcessIdentity): KillOutcome {
  return livenessOf(identity) === "gone" ? "gone" : "unproven";
}

/** The second half of the above: the process is held. Ends the hold. */
export function killThrough(
  hold: ProcessHold,
  identity: ProcessIdentity,
  signal: Signal,
): KillOutcome {
  try {
    const liveness = livenessIn(identity, () => hold.read());
    if (liveness !== "alive") return liveness === "gone" ? "gone" : "unproven";
    return hold.signal(signal) ? "signalled" : withoutProof(identity);
  } finally {
    hold.close();
  }
}
