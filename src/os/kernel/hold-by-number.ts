import type { ProcessEntry, ProcessHold } from "./kernel.ts";

/**
 * The nearest thing to a hold where the system has none: the process is read right before the signal,
 * and between the two lie some microseconds in which the pid could be given to somebody else.
 */
export function holdByNumber(
  pid: number,
  read: (pid: number) => ProcessEntry | undefined,
): ProcessHold {
  return {
    read: () => read(pid),
    signal(signal) {
      try {
        return process.kill(pid, signal);
      } catch {
        return false;
      }
    },
    close() {},
  };
}
