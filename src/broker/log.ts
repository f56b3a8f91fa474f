import { fstatSync, ftruncateSync, writeSync } from "node:fs";
import { onTrace, type TraceEvent } from "../base/trace.ts";

/** The log of one epoch is cut when it reaches this size: what is newest is worth most. */
const MAX_LOG_BYTES = 8 * 1024 * 1024;
const STDOUT = 1;

/**
 * Writes the daemon's trace to its standard output, which its starter has pointed at the epoch's log.
 * pino is loaded here and not at the top: by the time it is, the listener is up and the app-server on
 * its way, so it costs nobody a wait.
 */
export async function startLog(bindings: Readonly<Record<string, unknown>>): Promise<void> {
  const early: TraceEvent[] = [];
  const stopCollecting = onTrace((event) => early.push(event));
  const { default: pino } = await import("pino");
  const logger = pino(
    { base: bindings, timestamp: pino.stdTimeFunctions.isoTime },
    { write: writeBounded },
  );
  stopCollecting();
  const log = ({ level, ...event }: TraceEvent): void => logger[level](event);
  for (const event of early) log(event);
  onTrace(log);
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
