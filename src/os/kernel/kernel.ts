/** One row of the process table, as it was at one moment. */
export interface ProcessEntry {
  readonly pid: number;
  /** 0 when nobody who is still there is known to be its parent. */
  readonly ppid: number;
  /** 0 where the system has none, or it is not known: it proves no kinship. */
  readonly session: number;
  /** A whole number in the system's own unit, written once and never changed. */
  readonly startTime: string;
  /** Where the system has one: a number that no other process of this boot ever gets. */
  readonly uniqueId?: string;
  /** Whether it has ended and only its entry is left (a zombie, or a handle that somebody holds). */
  readonly ended: boolean;
}

/** A hold on one process, which whoever has its pid later does not get into. */
export interface ProcessHold {
  /** Who it is. Undefined when that may not be known. */
  read(): ProcessEntry | undefined;
  /** True when it was delivered to the very process that `read` described. */
  signal(signal: Signal): boolean;
  close(): void;
}

export type Signal = "SIGTERM" | "SIGKILL";

/** What differs between systems in telling processes apart. Nothing in here throws. */
export interface Kernel {
  /** Tells this machine from others that share its home directories. */
  machine(): string;
  /** Null where the system has none: then no process is proven gone by a restart. */
  bootId(): string | null;
  pidNamespace(): string | null;
  /** Who has this pid now. Undefined when nobody has, or when it may not be known. */
  read(pid: number): ProcessEntry | undefined;
  /** All that may be known, and have not ended. Undefined where the system does not tell. */
  list(): readonly ProcessEntry[] | undefined;
  /** Whether a hold is one: without native calls Linux has only the number of the process, an old macOS nothing. */
  canHold(): boolean;
  /** Undefined when there is nobody to hold, or nothing is proven here. */
  hold(pid: number): ProcessHold | undefined;
}
