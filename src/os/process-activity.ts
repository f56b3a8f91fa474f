import { readStat } from "./proc-stat.ts";

/** What a process was doing at one moment. Known on Linux only. */
interface Activity {
  /** It runs, or waits for a processor or for a disk. */
  readonly runnable: boolean;
  /** Processor time so far, of all its threads. */
  readonly cpuTicks: string;
}

/**
 * Tells a process that is slow, on a machine under load, from one that is stopped or waits for something
 * that does not come. One object observes one process over time.
 */
export class ActivityWatch {
  readonly #pid: number;
  #cpuTicks: string | undefined;

  constructor(pid: number) {
    this.#pid = pid;
  }

  /** Whether it runs now, waits to run, or has run since the last call. False where that is not known. */
  isAtWork(): boolean {
    const now = activityOf(this.#pid);
    const before = this.#cpuTicks;
    this.#cpuTicks = now?.cpuTicks;
    if (now === undefined) return false;
    return now.runnable || (before !== undefined && before !== now.cpuTicks);
  }
}

function activityOf(pid: number): Activity | undefined {
  const stat = readStat(pid);
  if (stat === undefined) return undefined;
  return { runnable: stat.state === "R" || stat.state === "D", cpuTicks: stat.cpuTicks };
}
