import { readFileSync } from "node:fs";

/** The fields of Linux's `/proc/<pid>/stat` that tell one process from another. */
export interface ProcStat {
  readonly pid: number;
  /** Name of the executable, cut by the kernel to 15 bytes; the process itself can change it. */
  readonly comm: string;
  /** One letter. `Z` (zombie) and `X` (dead) mean ended, though `kill(pid, 0)` still succeeds. */
  readonly state: string;
  readonly ppid: number;
  readonly pgid: number;
  readonly session: number;
  /** Clock ticks since boot, kept as text: it is only ever compared, and may exceed 2^53. */
  readonly startTicks: string;
  /** Clock ticks of processor time, of all its threads, in user and in kernel mode. */
  readonly cpuTicks: string;
}

/** Field 22 of the manual page, counted from the one behind the name (field 3). */
const START_TICKS = 22 - 3;
/** Fields 14 and 15. */
const USER_TICKS = 14 - 3;
const KERNEL_TICKS = 15 - 3;

const INTEGER = /^-?\d+$/;

/**
 * The name stands in parentheses and may itself contain parentheses, blanks and line ends, so the
 * fields are counted from the last `)`. Returns undefined for text that is no stat line.
 */
export function parseStat(text: string): ProcStat | undefined {
  const open = text.indexOf("(");
  const close = text.lastIndexOf(")");
  if (open < 1 || close < open) return undefined;
  const fields = text
    .slice(close + 1)
    .trim()
    .split(" ");
  const [state, ppid, pgid, session] = fields;
  const pid = text.slice(0, open).trim();
  const startTicks = fields[START_TICKS];
  if (state === undefined || state.length !== 1) return undefined;
  // A field is known to be whole only when another one follows it.
  if (fields.length <= START_TICKS + 1 || startTicks === undefined) return undefined;
  const [userTicks, kernelTicks] = [fields[USER_TICKS], fields[KERNEL_TICKS]];
  const numbers = [pid, ppid, pgid, session, startTicks, userTicks, kernelTicks];
  if (!numbers.every((field) => field !== undefined && INTEGER.test(field))) return undefined;
  return {
    pid: Number(pid),
    comm: text.slice(open + 1, close),
    state,
    ppid: Number(ppid),
    pgid: Number(pgid),
    session: Number(session),
    startTicks,
    cpuTicks: [userTicks, kernelTicks].join("+"),
  };
}

/** Not so for a zombie, which has ended and only waits to be asked how. */
export function isRunning({ state }: ProcStat): boolean {
  return state !== "Z" && state !== "X";
}

/** Undefined when there is no such process, it may not be read, or the system has no `/proc`. */
export function readStat(pid: number): ProcStat | undefined {
  try {
    // The name is bytes, not text: latin1 keeps each of them, and never reads one as a separator.
    return parseStat(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return undefined;
  }
}
