import path from "node:path";
import { BrokerError } from "../base/errors.ts";
import { Deadline, monotonicMs } from "../base/deadline.ts";
import type { LockHolder } from "../os/lock-holder.ts";
import type { OlderTurn } from "../lifecycle/older-brokers.ts";
import type { RequestFrame } from "../wire/frame.ts";
import type { Line } from "../wire/line.ts";
import { errorLine, resultLine, rpcErrorOf } from "../wire/messages.ts";

/** An interrupt is answered in about 10 ms. */
const REACH_LIMIT_MS = 5_000;
/** A predecessor that drains lets go of its idle threads within about a second. */
const WRITER_GRACE_MS = 5_000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2_000;

const TURN_REACHERS = new Set(["turn/interrupt", "turn/steer"]);

/** Whether it reaches into a turn that runs, wherever that does. */
export function reachesIntoTurn(frame: RequestFrame): boolean {
  return TURN_REACHERS.has(frame.method);
}

/** @returns the answer of the broker that runs the turn, as a line for whoever asked. */
export async function askOlderTurn({ link }: OlderTurn, frame: RequestFrame): Promise<Line> {
  try {
    const deadline = Deadline.after(REACH_LIMIT_MS);
    const result = await link.connection.request(frame.method, frame.params, { deadline });
    return resultLine(frame.id, result);
  } catch (error) {
    return errorLine(frame.id, rpcErrorOf(error));
  } finally {
    link.connection.close();
  }
}

/** One session's wait for a thread that another app-server writes to. */
export class WriterWait {
  readonly #asked: boolean;
  readonly #givenUpAt: number;
  #pauseMs = FIRST_PAUSE_MS;

  /** @param waitMs for how long it was asked to wait; undefined for no longer than an idle thread takes. */
  constructor(waitMs: number | undefined) {
    this.#asked = waitMs !== undefined;
    this.#givenUpAt = monotonicMs() + Math.max(WRITER_GRACE_MS, waitMs ?? 0);
  }

  /** When to try again; undefined when it is not worth it any more. */
  nextPauseMs(turnRuns: boolean): number | undefined {
    if ((turnRuns && !this.#asked) || monotonicMs() >= this.#givenUpAt) return undefined;
    const pauseMs = this.#pauseMs;
    this.#pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
    return pauseMs;
  }
}

/** Codex keeps one such file for each thread, and whoever writes to the thread has it locked. */
export function writerLock(codexHome: string, threadId: string): string {
  return path.join(codexHome, "thread-writer-locks", `${path.basename(threadId)}.lock`);
}

/**
 * Codex lets one app-server at a time write to a thread.
 *
 * @param writer the process that does, where that can be known.
 */
export function threadHeldElsewhere(
  threadId: string,
  older: OlderTurn | undefined,
  writer: LockHolder | undefined,
): BrokerError {
  if (older === undefined) return heldByAnother(threadId, writer);
  const { epoch, turn } = older;
  return new BrokerError(
    "threadBusy",
    `Thread ${turn.threadId} is running a turn in epoch ${epoch}, which this broker has superseded.`,
    {
      details: { threadId: turn.threadId, turnId: turn.turnId, epoch, ageMs: turn.ageMs },
      hint: "Wait until it has ended, or send `turn/interrupt`: it is passed on. `codex-broker ps` shows both.",
    },
  );
}

function heldByAnother(threadId: string, writer: LockHolder | undefined): BrokerError {
  const hint = "Close it there, or wait until it has ended; then send `thread/resume` again.";
  if (writer === undefined) {
    const message = `Thread ${threadId} is in use by a Codex that is not this broker's.`;
    return new BrokerError("threadBusy", message, { details: { threadId }, hint });
  }
  const { pid, program } = writer;
  return new BrokerError(
    "threadBusy",
    `Thread ${threadId} is in use by process ${pid} (${program}), which is not this broker's.`,
    {
      details: { threadId, writer },
      hint: `${hint} \`ps -fp ${pid}\` shows what it is; if \`codex-broker ps\` has its parent, it is the app-server of another broker.`,
    },
  );
}
