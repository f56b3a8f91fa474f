import { constants } from "node:os";
import { hostMark } from "../host-mark.ts";
import type { DarwinCalls } from "./darwin-calls.ts";
import type { Kernel, ProcessEntry, ProcessHold } from "./kernel.ts";

/**
 * macOS: start times in microseconds, and an id of 64 bits that is given once a boot. It has no
 * descriptors of processes; the kernel compares the generation of the pid with the one that was read
 * when a signal is sent with an audit token. Where the system is too old for that, nobody is signalled.
 */
export function darwin(calls: DarwinCalls): Kernel {
  const read = (pid: number): ProcessEntry | undefined => lookAt(calls, pid)?.entry;
  return {
    // The name of a Mac changes with the network that it is in.
    machine: () => calls.hostUuid() ?? hostMark(),
    bootId: () => calls.bootSession(),
    pidNamespace: () => null,
    read,
    list: () =>
      calls
        .pids()
        .filter((pid) => pid > 0)
        .map(read)
        .filter((entry) => entry !== undefined)
        .filter(({ ended }) => !ended),
    canHold: () => calls.signalByToken !== undefined,
    hold: (pid) => hold(calls, pid),
  };
}

function hold(calls: DarwinCalls, pid: number): ProcessHold | undefined {
  const { signalByToken } = calls;
  const found = lookAt(calls, pid);
  if (signalByToken === undefined || found === undefined) return undefined;
  const token = auditToken(pid, found.generation);
  return {
    read: () => found.entry,
    signal: (signal) => signalByToken(token, constants.signals[signal]),
    close() {},
  };
}

interface Look {
  readonly entry: ProcessEntry;
  /** Of the pid: it changes when that is given anew, and at an `exec`. */
  readonly generation: number;
}

/** Offsets in `struct proc_bsdinfo` and, behind its 136 bytes, `struct proc_uniqidentifierinfo`. */
const STATUS = 4;
const PID = 12;
const PPID = 16;
const START_SECONDS = 120;
const START_MICROSECONDS = 128;
const UNIQUE_ID = 136 + 16;
const GENERATION = 136 + 32;

const ZOMBIE = 5;

function lookAt(calls: DarwinCalls, pid: number): Look | undefined {
  const found = calls.describe(pid);
  if (found === undefined || found.readUInt32LE(PID) !== pid) return undefined;
  const microseconds =
    found.readBigUInt64LE(START_SECONDS) * 1_000_000n + found.readBigUInt64LE(START_MICROSECONDS);
  return {
    generation: found.readInt32LE(GENERATION),
    entry: {
      pid,
      ppid: found.readUInt32LE(PPID),
      session: calls.sessionOf(pid),
      startTime: microseconds.toString(),
      uniqueId: found.readBigUInt64LE(UNIQUE_ID).toString(),
      ended: found.readUInt32LE(STATUS) === ZOMBIE,
    },
  };
}

/** Eight words, of which the kernel compares these two with the process that it finds. */
function auditToken(pid: number, generation: number): Buffer {
  const token = Buffer.alloc(32);
  token.writeInt32LE(pid, 5 * 4);
  token.writeInt32LE(generation, 7 * 4);
  return token;
}
