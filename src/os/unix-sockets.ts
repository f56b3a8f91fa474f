import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import path from "node:path";

/** What the kernel knows of the sockets bound to one path; it is shown also when the file is gone. */
export interface BoundSockets {
  /** Inode of the one that listens; undefined when none does. */
  readonly listener: string | undefined;
  /** Connections to it, those not yet accepted among them. */
  readonly connections: number;
}

/** Set in the flags of a socket that accepts connections. */
const ACCEPTS = 0x10000;

/**
 * Undefined where the system does not tell.
 *
 * @param pid of a process whose network namespace is meant. Default: that of this process.
 */
export function socketsAt(address: string, pid?: number): BoundSockets | undefined {
  let table: string;
  try {
    table = readFileSync(`/proc/${pid ?? "self"}/net/unix`, "utf8");
  } catch {
    return undefined;
  }
  return socketsIn(table, address);
}

/** One line a socket: number, references, protocol, flags, type, state, inode and, where it is bound, its path. */
export function socketsIn(table: string, address: string): BoundSockets {
  let listener: string | undefined;
  let connections = 0;
  for (const line of table.split("\n").slice(1)) {
    const [, flags, inode, bound] =
      /^\S+ \S+ \S+ ([0-9a-fA-F]+) \S+ \S+ +(\d+) (.*)$/.exec(line) ?? [];
    if (bound !== address || flags === undefined) continue;
    if ((Number.parseInt(flags, 16) & ACCEPTS) === 0) connections += 1;
    else listener = inode;
  }
  return { listener, connections };
}

/** Whether the process has this socket open. False also where that cannot be seen. */
export function holdsSocket(pid: number, inode: string): boolean {
  const directory = `/proc/${pid}/fd`;
  try {
    return readdirSync(directory).some(
      (descriptor) => targetOf(path.join(directory, descriptor)) === `socket:[${inode}]`,
    );
  } catch {
    return false;
  }
}

function targetOf(link: string): string | undefined {
  try {
    return readlinkSync(link);
  } catch {
    // Closed meanwhile.
    return undefined;
  }
}
