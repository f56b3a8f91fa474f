import { BrokerError } from "../base/errors.ts";
import { monotonicMs } from "../base/deadline.ts";
import type { OlderTurn } from "../lifecycle/older-brokers.ts";
import type { RequestFrame } from "../wire/frame.ts";
import { threadHeldElsewhere } from "./held-elsewhere.ts";
import type { ThreadWriter } from "./thread-writer.ts";
import type { Outcome } from "./upstream.ts";

/** A predecessor that drains lets go of its idle threads within about a second. */
const WRITER_GRACE_MS = 5_000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2_000;

/** How long one request waits for a thread that another app-server writes to, from now on. */
export class WriterPatience {
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

/** How it is found out who writes to a thread. */
export interface WriterLookUp {
  /** Finds the turn of a thread that has none here, in the brokers that this one has superseded. */
  readonly findOlderTurn: (threadId: string) => Promise<OlderTurn | undefined>;
  /** Which process it is, where that can be known. */
  readonly writerOf: (threadId: string) => Promise<ThreadWriter | undefined>;
}

/** What becomes of a request that waits: one of them happens, once. */
export interface AfterWait {
  readonly again: () => void;
  readonly giveUp: (why: BrokerError) => void;
}

/** Requests for threads that another app-server still writes to: Codex lets one at a time do that. */
export class WriterWaits {
  readonly #lookUp: WriterLookUp;
  /** Nothing of these is outstanding upstream while they wait, and yet they are owed an answer. */
  readonly #waiting = new Set<(why: BrokerError) => void>();
  #over: BrokerError | undefined;

  constructor(lookUp: WriterLookUp) {
    this.#lookUp = lookUp;
  }

  /** An idle thread is let go of within a second; one whose turn runs, when that has ended. */
  async wait(threadId: string, patience: WriterPatience, after: AfterWait): Promise<void> {
    if (this.#over !== undefined) return after.giveUp(this.#over);
    const giveUp = (why: BrokerError): void => {
      this.#waiting.delete(giveUp);
      after.giveUp(why);
    };
    this.#waiting.add(giveUp);
    const older = await this.#lookUp.findOlderTurn(threadId);
    older?.link.connection.close();
    if (!this.#waiting.has(giveUp)) return;
    const pauseMs = patience.nextPauseMs(older !== undefined);
    if (pauseMs === undefined) {
      const writer = await this.#lookUp.writerOf(threadId);
      if (!this.#waiting.has(giveUp)) return;
      return giveUp(threadHeldElsewhere(threadId, older, writer));
    }
    setTimeout(() => {
      if (this.#waiting.delete(giveUp)) after.again();
    }, pauseMs);
  }

  /** Nobody waits here any more. */
  refuse(why: BrokerError): void {
    this.#over = why;
    for (const giveUp of this.#waiting) giveUp(why);
  }
}

/** Whether the answer says that another app-server writes to the thread. */
export function isHeldElsewhere(frame: RequestFrame, outcome: Outcome): boolean {
  if (frame.method !== "thread/resume" || BrokerError.is(outcome)) return false;
  const message = outcome.error?.message ?? "";
  // The first of another app-server, the second of ours, which is just letting go of it.
  return message.includes("already has an active writer") || message.includes("is closing; retry");
}
