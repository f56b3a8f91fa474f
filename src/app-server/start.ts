import { existsSync } from "node:fs";
import { BrokerError, textDetail } from "../base/errors.ts";
import type { Deadline } from "../base/deadline.ts";
import { pause } from "../base/deadline.ts";
import { deferred } from "../base/deferred.ts";
import { OWN_SETTING } from "../base/own-setting.ts";
import { trace } from "../base/trace.ts";
import { BROKER_VERSION } from "../base/version.ts";
import { decodeFrame } from "../wire/frame.ts";
import { isRecord, notificationLine, requestLine } from "../wire/messages.ts";
import { AppServerChild, type AppServerExit } from "./child.ts";
import {
  codexVersionFrom,
  isStateDatabaseLocked,
  requireSupported,
  startFailure,
} from "./start-failure.ts";
import type { Ownership } from "./ownership.ts";
import { stopAppServer } from "./stop-ladder.ts";

/** Several app-servers that start on one CODEX_HOME can lock each other out of its database for a moment. */
const LOCKED_ATTEMPTS = 6;
const LOCKED_PAUSE_MS = 100;

export interface StartOptions {
  readonly codex: string;
  /** After those that every app-server of ours has. */
  readonly args?: readonly string[];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly maxLineBytes: number;
  readonly ownership?: Ownership;
  readonly deadline: Deadline;
  /** Ends the start before its next process; whoever aborts ends the current process. */
  readonly signal?: AbortSignal;
  /** Called with the process as soon as there is one, so that the caller owns it during the handshake. */
  readonly onSpawned?: (child: AppServerChild) => void;
  /** Every line after the handshake, in order. */
  readonly onLine: (line: Buffer) => void;
  /** What a message over the limit begins with. @returns whether it is known what it was. */
  readonly onOversized?: (head: Buffer, limitBytes: number) => boolean;
  /** It runs, but what it writes cannot be read any more. */
  readonly onFault: (fault: BrokerError) => void;
}

export interface StartedAppServer {
  readonly child: AppServerChild;
  readonly version: string | null;
  /** The app-server's answer to `initialize`. */
  readonly initializeResult: Readonly<Record<string, unknown>>;
}

/**
 * An app-server that has been initialized. A start that fails on a locked state database is tried
 * again, each time after a longer, jittered pause.
 *
 * @throws BrokerError `codexUnusable`, `codexTooOld`, `codexHomeMissing`, `sandboxDenied` or
 *   `appServerStartFailed`, with binary, exit and stderr tail in its details. No process is left.
 */
export async function startAppServer(options: StartOptions): Promise<StartedAppServer> {
  const isStopped = (): boolean => options.signal?.aborted === true;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startOnce(options);
    } catch (error) {
      const stderr = textDetail(error, "stderrTail");
      if (
        !isStateDatabaseLocked(stderr) ||
        attempt === LOCKED_ATTEMPTS ||
        options.deadline.expired ||
        isStopped()
      ) {
        throw error;
      }
      const pauseMs = LOCKED_PAUSE_MS * attempt * (0.5 + Math.random());
      trace("info", "appServer.databaseLocked", { attempt, pauseMs });
      await pause(pauseMs, options.signal);
      if (isStopped()) throw error;
    }
  }
}

async function startOnce(options: StartOptions): Promise<StartedAppServer> {
  const answer = deferred<Record<string, unknown>>();
  const early: Buffer[] = [];
  let onLine = (line: Buffer): void => {
    const frame = decodeFrame(line);
    if (frame.kind !== "answer") return void early.push(line);
    if (frame.error !== undefined) {
      return answer.reject(refusedHandshake(options.codex, frame.error.message));
    }
    answer.resolve(isRecord(frame.result) ? frame.result : {});
  };
  trace("debug", "appServer.starting", { codex: options.codex });
  const child = AppServerChild.spawn({
    ...options,
    args: [...ARGUMENTS, ...(options.args ?? [])],
    onLine: (line) => onLine(line),
  });
  trace("debug", "appServer.spawned", { pid: child.pid });
  options.onSpawned?.(child);
  const exited = child.exited.then((exit) => {
    throw startFailure({ codex: options.codex, exit, hasProc: hasProc() });
  });
  child.send(requestLine("0", "initialize", INTRODUCTION));
  try {
    const initializeResult = await options.deadline.race(
      Promise.race([answer.promise, exited]),
      () => noAnswer(options.codex),
    );
    const version = codexVersionFrom(userAgentOf(initializeResult)) ?? null;
    requireSupported(version, options.codex);
    child.send(notificationLine("initialized", undefined));
    onLine = options.onLine;
    for (const line of early) onLine(line);
    return { child, version, initializeResult };
  } catch (error) {
    await stopAppServer(child);
    throw error;
  }
}

/**
 * A thread that nobody hears is unloaded after this time, its MCP servers with it, and only then can
 * another app-server take it up. The broker counts who hears it, so Codex's own minute is not needed.
 */
const ARGUMENTS = ["app-server", "-c", OWN_SETTING];

const INTRODUCTION = {
  clientInfo: { name: "codex-broker", title: "codex-broker", version: BROKER_VERSION },
  capabilities: { experimentalApi: true, requestAttestation: false },
};

function refusedHandshake(codex: string, why: string): BrokerError {
  return new BrokerError("appServerStartFailed", `${codex} refused the handshake: ${why}.`, {
    details: { codex },
  });
}

function noAnswer(codex: string): BrokerError {
  return new BrokerError("appServerStartFailed", `${codex} did not answer the handshake in time.`, {
    details: { codex },
  });
}

/** How an app-server ended, in words. */
export function describeExit(exit: AppServerExit): string {
  if (exit.signal !== null) return `was ended by ${exit.signal}`;
  return exit.code === null ? "could not be run" : `exited with code ${exit.code}`;
}

function hasProc(): boolean {
  return process.platform !== "linux" || existsSync("/proc/self");
}

function userAgentOf(result: Readonly<Record<string, unknown>>): string {
  return typeof result["userAgent"] === "string" ? result["userAgent"] : "";
}
