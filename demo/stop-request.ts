import { constants } from "node:os";
import type { Output } from "../src/cli/output/output.ts";

/** Somebody wants the demo to end: not a failure, and not a success. */
export class StopRequest extends Error {
  readonly exitCode: number;

  constructor(how: string, signal: NodeJS.Signals) {
    super(how);
    this.exitCode = 128 + constants.signals[signal];
  }
}

/**
 * Aborts when the demo has to end before its end. Nothing is ended here: whoever waits is told, and
 * the way out is the usual one, with all of its cleaning up.
 */
export function listenForStop(out: Output): AbortSignal {
  const stopping = new AbortController();
  const ask = (how: string, signal: NodeJS.Signals): void =>
    stopping.abort(new StopRequest(how, signal));
  process.on("SIGINT", () => ask("Ctrl-C", "SIGINT"));
  process.on("SIGTERM", () => ask("SIGTERM", "SIGTERM"));
  process.on("SIGHUP", () => ask("its terminal has gone", "SIGHUP"));
  out.whenReaderGoes(() => ask("nobody reads it any more", "SIGPIPE"));
  // A defect of the demo must not leave a broker behind.
  process.on("uncaughtException", (error) => stopping.abort(error));
  return stopping.signal;
}

export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
