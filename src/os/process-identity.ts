import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import { createHash } from "node:crypto";
import { errnoOf } from "../base/errors.ts";
import { readStat } from "./proc-stat.ts";

/**
 * What tells one process from every other one that ever bore its pid. A field is null where this
 * system does not have it; then less can be proven, and what cannot be proven is not acted upon.
 */
export interface ProcessIdentity {
  readonly pid: number;
  /** Opaque; equal for the same process only. On Linux: clock ticks since boot. */
  readonly startTime: string | null;
  /** Tells machines apart that share a home directory. */
  readonly hostId: string;
  readonly bootId: string | null;
  /** Pids of another pid namespace mean nothing in ours. */
  readonly pidNamespace: string | null;
}

/** `gone` is a proof. `unknown` means that nothing was proven either way. */
export type Liveness = "alive" | "gone" | "unknown";

let own: ProcessIdentity | undefined;

export function ownIdentity(): ProcessIdentity {
  own ??= {
    pid: process.pid,
    startTime: startTimeOf(process.pid),
    hostId: readHostId(),
    bootId: readTrimmed("/proc/sys/kernel/random/boot_id"),
    pidNamespace: readPidNamespace(),
  };
  return own;
}

/** Of a process that is known to run now, such as a child of ours that has not been waited for. */
export function identityOf(pid: number): ProcessIdentity {
  return { ...ownIdentity(), pid, startTime: startTimeOf(pid) };
}

/** Whether the very process that this identity names still runs. A zombie counts as gone. */
export function livenessOf(identity: ProcessIdentity): Liveness {
  const here = ownIdentity();
  if (identity.hostId !== here.hostId) return "unknown";
  if (identity.bootId !== null && here.bootId !== null && identity.bootId !== here.bootId) {
    return "gone";
  }
  if (identity.pidNamespace !== here.pidNamespace) return "unknown";
  if (process.platform === "linux") return livenessByProc(identity);
  return pidExists(identity.pid) ? "unknown" : "gone";
}

function livenessByProc(identity: ProcessIdentity): Liveness {
  const stat = readStat(identity.pid);
  if (stat === undefined) return pidExists(identity.pid) ? "unknown" : "gone";
  if (identity.startTime === null) return "unknown";
  if (stat.startTicks !== identity.startTime) return "gone";
  return stat.state === "Z" || stat.state === "X" ? "gone" : "alive";
}

function startTimeOf(pid: number): string | null {
  return readStat(pid)?.startTicks ?? null;
}

function pidExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) !== "ESRCH";
  }
}

function readHostId(): string {
  const machine = readTrimmed("/etc/machine-id") ?? "";
  return createHash("sha256").update(`${hostname()}\0${machine}`).digest("hex").slice(0, 16);
}

function readPidNamespace(): string | null {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return null;
  }
}

function readTrimmed(path: string): string | null {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return null;
  }
}
