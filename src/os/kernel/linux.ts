import { readdirSync, readlinkSync } from "node:fs";
import { constants } from "node:os";
import { hostMark, linuxBootId } from "../host-mark.ts";
import { isRunning, readStat, type ProcStat } from "../proc-stat.ts";
import { holdByNumber } from "./hold-by-number.ts";
import type { Kernel, ProcessEntry, ProcessHold } from "./kernel.ts";
import { bindNative, type Koffi } from "./koffi.ts";

/** `/proc`, and descriptors of processes. */
export const linux: Kernel = {
  machine: hostMark,
  bootId: linuxBootId,
  pidNamespace,
  read,
  list,
  canHold: () => descriptors() !== undefined,
  hold,
};

function read(pid: number): ProcessEntry | undefined {
  const stat = readStat(pid);
  return stat === undefined ? undefined : entryOf(stat);
}

function entryOf(stat: ProcStat): ProcessEntry {
  const { pid, ppid, session, startTicks } = stat;
  return { pid, ppid, session, startTime: startTicks, ended: !isRunning(stat) };
}

/** Takes about 0.1 ms for each. */
function list(): readonly ProcessEntry[] | undefined {
  const found = namesIn("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => read(Number(name)))
    .filter((entry) => entry !== undefined);
  return found.length === 0 ? undefined : found.filter(({ ended }) => !ended);
}

/**
 * A descriptor of the process is opened before `/proc` is read: from then on the pid may be recycled
 * without the signal reaching anyone else.
 */
function hold(pid: number): ProcessHold | undefined {
  const calls = descriptors();
  if (calls === undefined) return holdByNumber(pid, read);
  const { open, signal, close } = calls;
  const descriptor = open(pid);
  if (descriptor < 0) return undefined;
  return {
    read: () => read(pid),
    signal: (name) => signal(descriptor, constants.signals[name]) === 0,
    close: () => close(descriptor),
  };
}

interface PidDescriptors {
  /** Negative on failure. */
  open(pid: number): number;
  /** 0 on success. */
  signal(descriptor: number, signal: number): number;
  close(descriptor: number): void;
}

let bound: PidDescriptors | null | undefined;

function descriptors(): PidDescriptors | undefined {
  bound ??= bindNative(bindDescriptors) ?? null;
  return bound ?? undefined;
}

/** The same numbers on every architecture: they came after the tables were unified. */
const PIDFD_SEND_SIGNAL = 424;
const PIDFD_OPEN = 434;

function bindDescriptors(koffi: Koffi): PidDescriptors {
  const libc = koffi.load("libc.so.6");
  const syscall = libc.func("long syscall(long, ...)");
  const close = libc.func("int close(int)");
  return {
    open: (pid) => Number(syscall(PIDFD_OPEN, "int", pid, "uint", 0)),
    signal: (descriptor, signal) =>
      Number(
        syscall(PIDFD_SEND_SIGNAL, "int", descriptor, "int", signal, "void *", null, "uint", 0),
      ),
    close: (descriptor) => void close(descriptor),
  };
}

function pidNamespace(): string | null {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return null;
  }
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
