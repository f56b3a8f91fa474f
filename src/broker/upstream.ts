import { isSafeToRepeat } from "../app-server/method-table.ts";
import { BrokerError } from "../base/errors.ts";
import { monotonicMs } from "../base/deadline.ts";
import { deferred } from "../base/deferred.ts";
import { trace } from "../base/trace.ts";
import {
  withId,
  type AnswerFrame,
  type NotificationFrame,
  type RequestFrame,
} from "../wire/frame.ts";
import type { Line } from "../wire/line.ts";
import {
  canonicalId,
  errorLine,
  fromRpcError,
  notificationLine,
  requestLine,
  resultLine,
  type RawId,
} from "../wire/messages.ts";
import { namedRequest, type NamedRequest } from "../wire/request-ids.ts";
import { decliningAnswer } from "../wire/declining-answers.ts";
import { FairWindow } from "./fair-window.ts";
import { beginningOf } from "./line-head.ts";
import { decodeServerLine } from "./server-line.ts";
import { Postponed } from "./postponed.ts";

/** Beyond 64 outstanding requests the app-server gains nothing, and beyond 128 it loses some. */
const WINDOW = 64;
/** So many more for what must not wait behind them: interrupts and cancellations. */
const URGENT_WINDOW = 16;
/** A request that has run for this long is being worked on, not queued, and keeps nobody out. */
const LEAVES_WINDOW_AFTER_MS = 2_000;
/** Unless the app-server has been silent for so long: then nobody knows that it works on anything. */
const HEARD_WITHIN_MS = 1_000;
const SWEEP_EVERY_MS = 500;
/** The app-server's own word for a queue that is full: it has not looked at the request. */
const OVERLOADED = -32_001;

export interface UpstreamEvents {
  onNotification(frame: NotificationFrame): void;
  onServerRequest(frame: RequestFrame): void;
  /** A request leaves, and none was outstanding. */
  onWork(): void;
  /** No request is outstanding any more. */
  onAllAnswered(): void;
  /** Requests wait for answers, and nothing at all has been answered for a while. */
  onSilence(): void;
}

export type Outcome = AnswerFrame | BrokerError;

/**
 * `urgent` requests have places of their own. A `probe` needs none, because it has to reach an
 * app-server that answers nothing: its sender has one at a time.
 */
export type Priority = "ordinary" | "urgent" | "probe";

export function priorityOf(method: string): Priority {
  return method === "turn/interrupt" ? "urgent" : "ordinary";
}

export interface UpstreamRequest {
  readonly owner: object;
  /** The owner's own id for it, by which the owner may name it later. */
  readonly id?: RawId;
  readonly method: string;
  /** Milliseconds it may take from being sent; Infinity for what may run as long as the app-server lives. */
  readonly limitMs: number;
  /** Default: ordinary. */
  readonly priority?: Priority;
  /** Called with each notification that names this request, before its response. */
  readonly onReport?: (frame: NotificationFrame, named: NamedRequest) => void;
}

/** A request on its way to the app-server, or waiting for a place. */
class Pending {
  readonly owner: object;
  readonly ownId: RawId | undefined;
  readonly method: string;
  readonly limitMs: number;
  readonly line: (id: RawId) => Line;
  readonly settle: (outcome: Outcome) => void;
  readonly onReport: UpstreamRequest["onReport"];
  readonly priority: Priority;
  sentAt = 0;
  /** Where it occupies a place. */
  window: FairWindow<object, Pending> | undefined;
  /** How often the app-server has refused it for want of room. */
  refusals = 0;

  constructor(
    { owner, id, method, limitMs, onReport, priority }: UpstreamRequest,
    line: (id: RawId) => Line,
    settle: (outcome: Outcome) => void,
  ) {
    this.owner = owner;
    this.ownId = id === undefined ? undefined : canonicalId(id);
    this.onReport = onReport;
    this.priority = priority ?? "ordinary";
    this.method = method;
    this.limitMs = limitMs;
    this.line = line;
    this.settle = settle;
  }
}

/** The connection to the app-server: whose request is whose, how many at once, and until when. */
export class Upstream {
  readonly #events: UpstreamEvents;
  readonly #window = new FairWindow<object, Pending>(WINDOW);
  readonly #urgent = new FairWindow<object, Pending>(URGENT_WINDOW);
  readonly #pending = new Map<RawId, Pending>();
  readonly #postponed = new Postponed<Pending>((pending) => this.#admit(pending));
  #send: ((line: Line) => void) | undefined;
  #end: BrokerError | undefined;
  #nextId = 1;
  #sweep: NodeJS.Timeout | undefined;
  #lastAnswerAt: number | undefined;

  constructor(events: UpstreamEvents) {
    this.#events = events;
  }

  /** Whether the app-server takes anything yet. */
  get isOpen(): boolean {
    return this.#send !== undefined;
  }

  /** Outstanding at the app-server. */
  get outstanding(): number {
    return this.#pending.size + this.#postponed.size;
  }

  get lastAnswerMsAgo(): number | null {
    return this.#lastAnswerAt === undefined ? null : monotonicMs() - this.#lastAnswerAt;
  }

  waitingOf(owner: object): number {
    return this.#window.waitingOf(owner) + this.#urgent.waitingOf(owner);
  }

  /** The app-server has answered `initialize`: lines go here from now on, and whoever waits may go. */
  open(send: (line: Line) => void): void {
    this.#send = send;
    this.#lastAnswerAt = monotonicMs();
    this.#pump();
  }

  /** A client's request, every byte as it came but the id. */
  forward(request: UpstreamRequest, frame: RequestFrame, settle: (outcome: Outcome) => void): void {
    this.#admit(new Pending(request, (id) => withId(frame, id), settle));
  }

  /**
   * A request of the broker's own, in the same windows as those of the sessions.
   *
   * @throws BrokerError when the app-server has gone or did not answer in time; RpcError as answered.
   */
  async request(
    method: string,
    params: unknown,
    limitMs: number,
    priority: Priority = priorityOf(method),
  ): Promise<unknown> {
    const answer = deferred<unknown>();
    const settle = (outcome: Outcome): void => {
      if (BrokerError.is(outcome)) answer.reject(outcome);
      else if (outcome.error === undefined) answer.resolve(outcome.result);
      else answer.reject(fromRpcError(outcome.error));
    };
    const line = (id: RawId): Line => requestLine(id, method, params);
    this.#admit(new Pending({ owner: this, method, limitMs, priority }, line, settle));
    return await answer.promise;
  }

  notify(method: string, params: unknown): void {
    this.#send?.(notificationLine(method, params));
  }

  /** A line that is already complete: an answer to the app-server, or a client's notification. */
  sendLine(line: Line): void {
    this.#send?.(line);
  }

  /** A session has gone: what it still had waiting is settled unsent. */
  withdraw(owner: object): void {
    const cause = new BrokerError("connectionClosed", "The session that asked has gone.");
    this.#withdraw(owner, cause, () => true);
  }

  /** Settles a request that waits here with "cancelled", if it is of a method that can be cancelled so. */
  cancelUnsent(owner: object, id: RawId, isCancellable: (method: string) => boolean): void {
    const cause = new BrokerError("turnInterrupted", "The request was cancelled.", {
      hint: "Codex has not got it. Send it again when it is wanted.",
    });
    this.#withdraw(owner, cause, (each) => each.ownId === id && isCancellable(each.method));
  }

  /** The requests of this owner that the app-server has got and has not answered, by their ids there. */
  outstandingOf(owner: object): Array<{ readonly id: RawId; readonly method: string }> {
    return [...this.#pending].flatMap(([id, pending]) =>
      pending.owner === owner ? { id, method: pending.method } : [],
    );
  }

  /** The id at the app-server of an outstanding request that its owner names; of several the latest. */
  idOf(owner: object, ownId: RawId): RawId | undefined {
    return [...this.#pending].findLast(
      ([, pending]) => pending.owner === owner && pending.ownId === ownId,
    )?.[0];
  }

  receive(line: Buffer): void {
    const frame = decodeServerLine(line);
    switch (frame.kind) {
      case "answer":
        this.#lastAnswerAt = monotonicMs();
        return this.#answer(frame);
      case "notification":
        return this.#report(frame) ? undefined : this.#events.onNotification(frame);
      case "request":
        return this.#events.onServerRequest(frame);
      case "fault":
        return trace("error", "upstream.badLine", {
          why: frame.error.message,
          sample: line.subarray(0, 200).toString("utf8"),
        });
    }
  }

  /**
   * A message was too long to be read. Whoever asked for it is told so, and nobody else is concerned;
   * an event is missed by those who would have heard it.
   *
   * @returns whether it is known whose it was.
   */
  receiveOversized(head: Buffer, limitBytes: number): boolean {
    const begins = beginningOf(head);
    trace("error", "upstream.oversized", { ...begins, limitBytes });
    switch (begins?.kind) {
      case "answer": {
        this.#lastAnswerAt = monotonicMs();
        const pending = this.#pending.get(begins.id);
        if (pending === undefined) return true;
        this.#remove(begins.id, pending);
        pending.settle(tooLarge(pending.method, limitBytes));
        this.#pump();
        return true;
      }
      case "request": {
        const declined = decliningAnswer(begins.method);
        this.sendLine(
          "result" in declined
            ? resultLine(begins.id, declined.result)
            : errorLine(begins.id, declined.error),
        );
        return true;
      }
      case "notification":
        return true;
      case undefined:
        return false;
    }
  }

  /** The app-server has gone: everyone who waits is told the cause, and so is everyone who comes later. */
  close(cause: BrokerError): void {
    if (this.#end !== undefined) return;
    this.#end = cause;
    clearInterval(this.#sweep);
    const all = [
      ...this.#pending.values(),
      ...this.#urgent.withdrawAll(),
      ...this.#window.withdrawAll(),
      ...this.#postponed.withdraw(() => true),
    ];
    this.#pending.clear();
    for (const pending of all) pending.settle(cause);
    this.#events.onAllAnswered();
  }

  #admit(pending: Pending): void {
    const { priority, owner } = pending;
    if (this.#end !== undefined) return pending.settle(this.#end);
    if (priority === "probe" && this.#send !== undefined) return this.#dispatch(pending);
    (priority === "ordinary" ? this.#window : this.#urgent).push(owner, pending);
    this.#pump();
  }

  #withdraw(owner: object, cause: BrokerError, meant: (pending: Pending) => boolean): void {
    const postponed = this.#postponed.withdraw((each) => each.owner === owner && meant(each));
    const waiting = [this.#urgent, this.#window].flatMap((each) => each.withdraw(owner, meant));
    for (const each of [...waiting, ...postponed]) each.settle(cause);
  }

  #pump(): void {
    if (this.#send === undefined) return;
    for (const window of [this.#urgent, this.#window]) {
      for (let next = window.take(); next !== undefined; next = window.take()) {
        next.window = window;
        this.#dispatch(next);
      }
    }
  }

  #dispatch(pending: Pending): void {
    const id = String(this.#nextId++);
    pending.sentAt = monotonicMs();
    if (this.#pending.size === 0) this.#events.onWork();
    this.#pending.set(id, pending);
    this.#send?.(pending.line(id));
    this.#sweep ??= setInterval(() => this.#sweepOverdue(), SWEEP_EVERY_MS);
  }

  /** A notification that names a request concerns whoever sent that. @returns whether it was one. */
  #report(frame: NotificationFrame): boolean {
    const named = namedRequest(frame);
    if (named === undefined) return false;
    const pending = this.#pending.get(named.id);
    pending?.onReport?.(frame, named);
    return named.isKnown || pending !== undefined;
  }

  #answer(frame: AnswerFrame): void {
    const pending = this.#pending.get(frame.id);
    if (pending === undefined) return trace("debug", "upstream.lateAnswer", { id: frame.id });
    if (!this.#tryAgainLater(frame, pending)) {
      this.#remove(frame.id, pending);
      pending.settle(frame);
    }
    this.#pump();
  }

  /** Only what would do no harm twice: nobody has to trust that a refused request has done nothing. */
  #tryAgainLater(frame: AnswerFrame, pending: Pending): boolean {
    if (frame.error?.code !== OVERLOADED || !isSafeToRepeat(pending.method)) return false;
    if (!this.#postponed.add(pending, pending.refusals)) return false;
    pending.refusals += 1;
    trace("info", "upstream.overloaded", { method: pending.method, refusals: pending.refusals });
    this.#remove(frame.id, pending);
    return true;
  }

  #remove(id: RawId, pending: Pending): void {
    this.#pending.delete(id);
    this.#leaveWindow(pending);
    if (this.outstanding === 0) this.#events.onAllAnswered();
  }

  #leaveWindow(pending: Pending): void {
    pending.window?.release();
    pending.window = undefined;
  }

  /** One timer for all requests, until it finds none: none per message, and none while nothing is to do. */
  #sweepOverdue(): void {
    if (this.#pending.size === 0) {
      clearInterval(this.#sweep);
      this.#sweep = undefined;
      return;
    }
    const now = monotonicMs();
    const heard = now - (this.#lastAnswerAt ?? 0) < HEARD_WITHIN_MS;
    let overdue = false;
    for (const [id, pending] of this.#pending) {
      const age = now - pending.sentAt;
      if (age > LEAVES_WINDOW_AFTER_MS && pending.window !== undefined) {
        if (heard) this.#leaveWindow(pending);
        else overdue = true;
      }
      if (age <= pending.limitMs) continue;
      this.#remove(id, pending);
      pending.settle(
        new BrokerError(
          "requestTimedOut",
          `The app-server did not answer ${pending.method} in time.`,
          {
            details: { method: pending.method, limitMs: pending.limitMs },
          },
        ),
      );
    }
    if (overdue) this.#events.onSilence();
    this.#pump();
  }
}

function tooLarge(method: string, limitBytes: number): BrokerError {
  return new BrokerError(
    "frameTooLarge",
    `Codex's answer to ${method} has more than ${limitBytes} bytes.`,
    {
      details: { method, limitBytes },
      hint: "Ask for less at once: a page, a part, or a thread without its turns (`excludeTurns`).",
    },
  );
}
