import { hostMark } from "../host-mark.ts";
import type { Kernel, ProcessEntry, ProcessHold } from "./kernel.ts";
import type { Win32Calls } from "./win32-calls.ts";

/**
 * Windows: everything is asked of a HANDLE, and as long as that is open its pid is given to nobody
 * else. Creation times count 100 ns since 1601 and are written once; pid and creation time together
 * name one process, whichever boot it is of.
 */
export function win32(calls: Win32Calls): Kernel {
  return {
    machine: hostMark,
    bootId: () => null,
    pidNamespace: () => null,
    read(pid) {
      const entry = readAsTold(calls, pid);
      return entry && withParent(entry, readAsTold(calls, entry.ppid));
    },
    list() {
      const found = calls
        .pids()
        .map((pid) => readAsTold(calls, pid))
        .filter((entry) => entry !== undefined)
        .filter(({ ended }) => !ended);
      const byPid = new Map(found.map((entry) => [entry.pid, entry]));
      return found.map((entry) => withParent(entry, byPid.get(entry.ppid)));
    },
    canHold: () => true,
    hold: (pid) => hold(calls, pid),
  };
}

function readAsTold(calls: Win32Calls, pid: number): ProcessEntry | undefined {
  const handle = calls.open(pid, false);
  if (handle === undefined) return undefined;
  try {
    return describe(calls, handle, pid);
  } finally {
    calls.close(handle);
  }
}

/** Windows ignores the two lowest bits of a pid that it opens: the answer may be of a neighbour. */
function describe(calls: Win32Calls, handle: number, pid: number): ProcessEntry | undefined {
  const found = calls.describe(handle);
  return found?.pid === pid ? { ...found, session: 0 } : undefined;
}

/**
 * A process keeps the pid of its parent when that has long ended and the pid is somebody else's: a
 * parent is one only if it is there and older than its child.
 */
function withParent(entry: ProcessEntry, parent: ProcessEntry | undefined): ProcessEntry {
  const proven = parent !== undefined && BigInt(parent.startTime) < BigInt(entry.startTime);
  return proven ? entry : { ...entry, ppid: 0 };
}

/** There is no polite signal to another process: whichever it is, it ends at once. */
function hold(calls: Win32Calls, pid: number): ProcessHold | undefined {
  const handle = calls.open(pid, true);
  if (handle === undefined) return undefined;
  return {
    read: () => describe(calls, handle, pid),
    signal: () => calls.terminate(handle),
    close: () => calls.close(handle),
  };
}
