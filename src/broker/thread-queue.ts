import { BrokerError } from "../base/errors.ts";
import { startTimer, type Timer } from "../base/deadline.ts";

/** A request that waits for its thread. */
export interface QueuedRequest<S> {
  readonly session: S;
  /** The session's own name for its place. */
  readonly ticket: string | null;
  /** It is its turn now. */
  readonly begin: () => void;
  /** It will never be. */
  readonly refuse: (error: BrokerError) => void;
  /** Its place, 1 being the next, whenever that changes. */
  readonly onPosition: (position: number) => void;
}

interface Waiting<S> extends QueuedRequest<S> {
  readonly timer: Timer;
}

/** Requests that wait for a busy thread: one line a thread, first come, first served. */
export class ThreadQueue<S> {
  readonly #lines = new Map<string, Waiting<S>[]>();
  readonly #maxPerThread: number;

  constructor(maxPerThread: number) {
    this.#maxPerThread = maxPerThread;
  }

  lengthOf(threadId: string): number {
    return this.#lines.get(threadId)?.length ?? 0;
  }

  add(threadId: string, request: QueuedRequest<S>, waitMs: number): void {
    const line = this.#lines.get(threadId) ?? [];
    if (line.length >= this.#maxPerThread) {
      const message = `${line.length} requests wait for thread ${threadId} already.`;
      return request.refuse(
        new BrokerError("tooManyRequests", message, {
          details: { threadId, limit: this.#maxPerThread },
        }),
      );
    }
    const timer = startTimer(waitMs, () => {
      this.#remove(threadId, (each) => each === waiting, tooLate(threadId, waitMs));
    });
    const waiting: Waiting<S> = { ...request, timer };
    this.#lines.set(threadId, [...line, waiting]);
    request.onPosition(line.length + 1);
  }

  /** The thread is free: the first of its line begins. */
  beginNext(threadId: string): void {
    const [first, ...rest] = this.#lines.get(threadId) ?? [];
    if (first === undefined) return;
    first.timer.stop();
    this.#setLine(threadId, rest);
    first.begin();
    for (const [index, each] of (this.#lines.get(threadId) ?? []).entries()) {
      each.onPosition(index + 1);
    }
  }

  /** Takes the session's own requests out of a line, or the one with that ticket. @returns how many. */
  withdraw(session: S, threadId: string, ticket?: string): number {
    const error = new BrokerError("turnInterrupted", "The turn was taken out of the queue.", {
      details: { threadId },
      hint: "Nothing of it has begun; send it again when it is wanted.",
    });
    const own = (each: Waiting<S>): boolean =>
      each.session === session && (ticket === undefined || each.ticket === ticket);
    return this.#remove(threadId, own, error);
  }

  /** The session has gone. */
  leave(session: S): void {
    for (const threadId of this.#lines.keys()) this.withdraw(session, threadId);
  }

  /** Nothing of that thread, or of any, will begin here. */
  refuse(error: BrokerError, threadId?: string): void {
    for (const each of threadId === undefined ? this.#lines.keys() : [threadId]) {
      this.#remove(each, () => true, error);
    }
  }

  #remove(threadId: string, goes: (each: Waiting<S>) => boolean, error: BrokerError): number {
    const line = this.#lines.get(threadId) ?? [];
    const stay = line.filter((each) => !goes(each));
    this.#setLine(threadId, stay);
    for (const each of line.filter(goes)) {
      each.timer.stop();
      each.refuse(error);
    }
    for (const [index, each] of stay.entries()) {
      if (line[index] !== each) each.onPosition(index + 1);
    }
    return line.length - stay.length;
  }

  #setLine(threadId: string, line: Waiting<S>[]): void {
    if (line.length === 0) this.#lines.delete(threadId);
    else this.#lines.set(threadId, line);
  }
}

function tooLate(threadId: string, waitMs: number): BrokerError {
  const message = `Thread ${threadId} was still busy after ${waitMs} ms.`;
  return new BrokerError("timedOut", message, {
    details: { threadId, waitedMs: waitMs },
    hint: "Wait longer with `deadlineMs`, or end the running turn with `turn/interrupt`.",
  });
}
