import { fstatSync, ftruncateSync, writeSync } from "node:fs";
import { onTrace, type TraceLevel } from "../base/trace.ts";

/** The log of one epoch is cut when it reaches this size: what is newest is worth most. */
const MAX_LOG_BYTES = 8 * 1024 * 1024;
const STDOUT = 1;

/** The numbers that log viewers know. */
const LEVELS: Readonly<Record<TraceLevel, number>> = { debug: 20, info: 30, warn: 40, error: 50 };

/**
 * Writes the daemon's trace, one JSON object a line, to its standard output, which its starter has
 * pointed at the epoch's log.
 */
export function startLog(bindings: Readonly<Record<string, unknown>>): void {
  onTrace(({ level, ...event }) => {
    const entry = { level: LEVELS[level], time: new Date().toISOString(), ...bindings, ...event };
    writeBounded(`${JSON.stringify(entry)}\n`);
  });
}

function writeBounded(line: string): void {
  try {
    const log = fstatSync(STDOUT);
    if (log.isFile() && log.size > MAX_LOG_BYTES) ftruncateSync(STDOUT, 0);
    writeSync(STDOUT, line);
  } catch {
    // A full disk must not take the turns down with it.
  }
}
