import { existsSync, readFileSync } from "node:fs";

/** Whether this system counts what a process reads. */
export const CAN_COUNT_BYTES: boolean = existsSync("/proc/self/io");

/** Bytes that the process has read so far, from files, pipes and sockets. */
export function bytesRead(pid: number | "self" = "self"): number {
  return Number(/^rchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, "utf8"))?.[1]);
}
