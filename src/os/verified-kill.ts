import { createRequire } from "node:module";
import { constants } from "node:os";
import { errnoOf } from "../base/errors.ts";
import { trace } from "../base/trace.ts";
import { livenessOf, type ProcessIdentity } from "./process-identity.ts";

/** `unproven`: nothing was signalled, because it could not be proven to be that very process. */
export type KillOutcome = "signalled" | "gone" | "unproven";

type Signal = "SIGTERM" | "SIGKILL";

/**
 * Signals the very process that the identity names, or nobody.
 *
 * On Linux through a descriptor of the process, opened before the identity is read: from then on the
 * pid may be recycled without the signal reaching anyone else. Without koffi the identity is read
 * right before the signal, which leaves some microseconds. Elsewhere nothing is signalled yet.
 */
export function killProven(identity: ProcessIdentity, signal: Signal): KillOutcome {
  const outcome =
    process.platform === "linux" ? killOnLinux(identity, signal) : withoutProof(identity);
  trace("warn", "kill.verified", { pid: identity.pid, signal, outcome });
  return outcome;
}

function withoutProof(identity: ProcessIdentity): KillOutcome {
  return livenessOf(identity) === "gone" ? "gone" : "unproven";
}

function killOnLinux(identity: ProcessIdentity, signal: Signal): KillOutcome {
  const calls = pidDescriptors();
  return calls === undefined
    ? killByNumber(identity, signal)
    : killThroughDescriptor(identity, signal, calls);
}

function killThroughDescriptor(
  identity: ProcessIdentity,
  signal: Signal,
  calls: PidDescriptors,
): KillOutcome {
  const descriptor = calls.open(identity.pid);
  if (descriptor < 0) return withoutProof(identity);
  try {
    const liveness = livenessOf(identity);
    if (liveness !== "alive") return liveness === "gone" ? "gone" : "unproven";
    return calls.signal(descriptor, constants.signals[signal]) === 0
      ? "signalled"
      : withoutProof(identity);
  } finally {
    calls.close(descriptor);
  }
}

function killByNumber(identity: ProcessIdentity, signal: Signal): KillOutcome {
  const liveness = livenessOf(identity);
  if (liveness !== "alive") return liveness === "gone" ? "gone" : "unproven";
  try {
    process.kill(identity.pid, signal);
    return "signalled";
  } catch (error) {
    return errnoOf(error) === "ESRCH" ? "gone" : "unproven";
  }
}

interface PidDescriptors {
  /** Negative on failure. */
  open(pid: number): number;
  /** 0 on success. */
  signal(descriptor: number, signal: number): number;
  close(descriptor: number): void;
}

/** The same numbers on every architecture: they came after the tables were unified. */
const PIDFD_SEND_SIGNAL = 424;
const PIDFD_OPEN = 434;

type NativeCall = (...args: unknown[]) => number;

interface Koffi {
  load(library: string): { func(signature: string): NativeCall };
}

let loaded: PidDescriptors | null | undefined;

/** Loaded on first use only: it costs 20 ms, and next to nobody ever needs it. */
function pidDescriptors(): PidDescriptors | undefined {
  loaded ??= load();
  return loaded ?? undefined;
}

function load(): PidDescriptors | null {
  try {
    const koffi = createRequire(import.meta.url)("koffi") as Koffi;
    const libc = koffi.load("libc.so.6");
    const syscall = libc.func("long syscall(long, ...)");
    const close = libc.func("int close(int)");
    return {
      open: (pid) => syscall(PIDFD_OPEN, "int", pid, "uint", 0),
      signal: (descriptor, signal) =>
        syscall(PIDFD_SEND_SIGNAL, "int", descriptor, "int", signal, "void *", null, "uint", 0),
      close: (descriptor) => void close(descriptor),
    };
  } catch (error) {
    trace("info", "kill.withoutDescriptors", { error: String(error) });
    return null;
  }
}
