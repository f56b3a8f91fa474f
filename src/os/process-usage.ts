import { readdirSync, readFileSync } from "node:fs";
import type { ProcessUsage } from "../base/usage.ts";

/** Known on Linux only. */
export function usageOf(pid: number): ProcessUsage {
  return {
    rssBytes: residentBytesOf(pid),
    descriptors: descriptorsOf(pid),
    descriptorLimit: descriptorLimitOf(pid),
  };
}

/** Of this process, whose memory Node knows on every system. */
export function ownUsage(): ProcessUsage {
  return { ...usageOf(process.pid), rssBytes: ownResidentBytes() };
}

/** Even this takes a descriptor, and there may be none left. */
function ownResidentBytes(): number | null {
  try {
    return process.memoryUsage.rss();
  } catch {
    return null;
  }
}

export function residentBytesOf(pid: number): number | null {
  return residentBytesIn(textOf(pid, "status") ?? "");
}

/** From Linux's `/proc/<pid>/status`; a zombie has no memory and no such line. */
export function residentBytesIn(status: string): number | null {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  return kilobytes === undefined ? null : Number(kilobytes) * 1024;
}

/** From Linux's `/proc/<pid>/limits`; null when there is no limit. */
export function descriptorLimitIn(limits: string): number | null {
  const soft = /^Max open files\s+(\d+)\s/m.exec(limits)?.[1];
  return soft === undefined ? null : Number(soft);
}

function descriptorLimitOf(pid: number): number | null {
  return descriptorLimitIn(textOf(pid, "limits") ?? "");
}

function descriptorsOf(pid: number): number | null {
  try {
    const { length } = readdirSync(`/proc/${pid}/fd`);
    // The listing itself takes one while it is read.
    return pid === process.pid ? length - 1 : length;
  } catch {
    return null;
  }
}

function textOf(pid: number, name: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "latin1");
  } catch {
    return undefined;
  }
}
