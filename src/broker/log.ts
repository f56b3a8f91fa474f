import { fstatSync, ftruncateSync, writeSync } from "node:fs";
import { onTrace, type TraceEvent, type TraceLevel } from "../base/trace.ts";

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
  const logger = await openLogger(bindings);
  stopCollecting();
  const log = ({ level, ...event }: TraceEvent): void => logger[level](event);
  for (const event of early) log(event);
  onTrace(log);
}

type Write = (event: object) => void;
type Logger = Readonly<Record<TraceLevel, Write>>;

/** Without pino's file, as in the middle of an upgrade, the daemon goes on without its log. */
async function openLogger(bindings: Readonly<Record<string, unknown>>): Promise<Logger> {
  try {
    const { default: pino } = await import("pino");
    const options = { base: bindings, timestamp: pino.stdTimeFunctions.isoTime };
    const logger: Logger = pino(options, { write: writeBounded });
    return logger;
  } catch (error) {
    writeBounded(
      `${JSON.stringify({ level: 40, event: "log.unavailable", error: String(error) })}\n`,
    );
    const nothing: Write = () => {};
    return { debug: nothing, info: nothing, warn: nothing, error: nothing };
  }
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
