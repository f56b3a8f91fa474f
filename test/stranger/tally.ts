import { constants } from "node:os";

/** What came of one kind of round. */
export interface Row {
  readonly what: string;
  /** Whether a process could be held by a descriptor while it was identified. */
  readonly descriptors: boolean;
  rounds: number;
  /** Calls of something that signals, or ends whatever it takes for a broker's. */
  calls: number;
  /** Calls that said that they had signalled. */
  signalled: number;
  /** What strangers told of, and strangers that ended. */
  reached: number;
  /** Whether a round could not be held to its end. */
  broken: boolean;
  /** What to look at when somebody was reached. */
  readonly details: string[];
}

export function emptyRow(what: string, descriptors: boolean): Row {
  return {
    what,
    descriptors,
    rounds: 0,
    calls: 0,
    signalled: 0,
    reached: 0,
    broken: false,
    details: [],
  };
}

export function isGood(row: Row): boolean {
  return !row.broken && row.rounds > 0 && row.calls > 0 && row.signalled === 0 && row.reached === 0;
}

export function noteReached(row: Row, heard: readonly string[]): void {
  row.reached += heard.length;
  row.details.push(...heard);
}

const NOT_HEARD = new Set(["SIGKILL", "SIGSTOP", "SIGCHLD", "SIGPROF"]);

/** This very process is one of those who must not be reached. */
export function hearSignals(): string[] {
  const heard: string[] = [];
  for (const name of Object.keys(constants.signals)) {
    if (NOT_HEARD.has(name)) continue;
    process.on(name, () => heard.push(`we heard ${name}`));
  }
  return heard;
}

/** As Markdown, so that it can go into the documentation as it is. */
export function tableOf(rows: readonly Row[]): string {
  const head = ["what", "signals go", "rounds", "calls", "said to have signalled", "reached"];
  const lines = rows.map((row) => [
    row.what,
    row.descriptors ? "through a descriptor" : "by number",
    row.rounds,
    row.calls,
    row.signalled,
    row.reached,
  ]);
  return [head, head.map(() => "---"), ...lines]
    .map((cells) => `| ${cells.join(" | ")} |`)
    .join("\n");
}
