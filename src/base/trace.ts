import diagnostics from "node:diagnostics_channel";

/**
 * What the library has to say about itself goes through Node's diagnostics channels: it costs nothing
 * when nobody listens, and the library needs no logger. The daemon and the command line subscribe.
 */
export const TRACE_CHANNEL = "codex-broker:trace";

export type TraceLevel = "debug" | "info" | "warn" | "error";

export interface TraceEvent {
  readonly level: TraceLevel;
  /** `area.what`, for example `session.opened`. */
  readonly event: string;
  readonly [fact: string]: unknown;
}

const channel = diagnostics.channel(TRACE_CHANNEL);

export function trace(
  level: TraceLevel,
  event: string,
  facts: Readonly<Record<string, unknown>> = {},
): void {
  if (channel.hasSubscribers) channel.publish({ level, event, ...facts } satisfies TraceEvent);
}

/** Returns its own undo. */
export function onTrace(listener: (event: TraceEvent) => void): () => void {
  const receive = (message: unknown): void => listener(message as TraceEvent);
  diagnostics.subscribe(TRACE_CHANNEL, receive);
  return () => void diagnostics.unsubscribe(TRACE_CHANNEL, receive);
}
