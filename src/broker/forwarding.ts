import { cancelOf, isKnownMethod, limitMsOf } from "../app-server/method-table.ts";
import { BrokerError, type ErrorKind } from "../base/errors.ts";
import {
  withId,
  withParam,
  withParams,
  type AnswerFrame,
  type NotificationFrame,
  type RequestFrame,
} from "../wire/frame.ts";
import type { Line } from "../wire/line.ts";
import { errorLine, isRecord, resultLine, type RawId } from "../wire/messages.ts";
import { NEED_CWD } from "../wire/method-kinds.ts";
import { namedRequest, type NamedRequest } from "../wire/request-ids.ts";
import { opensThread, startsTurn } from "./admission.ts";
import { askQuietly, type Ask } from "./ask.ts";
import { threadInResult, threadParam } from "./frame-facts.ts";
import { inWordsOfSession, OpenHandles, withUpstreamHandles } from "./handles.ts";
import type { LoadedThreads } from "./loaded-threads.ts";
import type { Peer } from "./peer.ts";
import { refuse } from "./refuse.ts";
import { priorityOf, type Outcome, type Upstream } from "./upstream.ts";
import { isHeldElsewhere, WriterPatience, WriterWaits, type WriterLookUp } from "./writer-waits.ts";

const RELEASE_LIMIT_MS = 5_000;
/** After these the app-server may have done what was requested. */
const UNREAD: ReadonlySet<ErrorKind> = new Set(["requestTimedOut", "frameTooLarge"]);

export interface ForwardingOptions {
  readonly workspace: string;
  readonly writers: WriterLookUp;
  /** Called when a request that starts a turn is about to leave. @returns what is to hear of its answer. */
  readonly onTurn: (peer: Peer, threadId: string) => (outcome: Outcome) => void;
  readonly opens: Opens;
  /**
   * Called with an answer since which the session hears a thread.
   *
   * @returns what tells it what it has missed, to be called after the answer.
   */
  readonly onOpened: (peer: Peer, threadId: string, method: string, result: unknown) => () => void;
  /** Called after that when the session has gone meanwhile: it does not hear the thread. */
  readonly onOpenedInVain: (peer: Peer, threadId: string) => void;
}

/** Keeps the threads of requests in flight subscribed. */
export type Opens = Pick<LoadedThreads<Peer>, "beginOpen" | "readyFor" | "endOpen">;

/** The way of a request that was admitted: to the app-server, and of its answer back to the session. */
export class Forwarding {
  readonly #upstream: Upstream;
  readonly #ask: Ask;
  readonly #options: ForwardingOptions;
  readonly #handles = new OpenHandles();
  readonly #writers: WriterWaits;
  /** Whose answers are on their way to nobody. */
  readonly #gone = new WeakSet<Peer>();
  /** Why nothing waits here any more. */
  #refusal: BrokerError | undefined;

  constructor(upstream: Upstream, ask: Ask, options: ForwardingOptions) {
    this.#upstream = upstream;
    this.#ask = ask;
    this.#options = options;
    this.#writers = new WriterWaits(options.writers);
  }

  /** @param waitMs for how long it may wait for a thread that another app-server writes to. */
  forward(peer: Peer, original: RequestFrame, waitMs: number | undefined): void {
    const named = requestNamedBy(original);
    const target = named && this.#upstream.idOf(peer, named.id);
    if (named !== undefined && target === undefined && mustStay(named)) {
      return this.#answerUnsent(peer, original, named);
    }
    const frame = this.#adapted(peer, withTarget(original, named, target));
    const threadId = threadParam(frame);
    const answered =
      startsTurn(frame) && threadId !== undefined
        ? this.#options.onTurn(peer, threadId)
        : undefined;
    this.#handles.note(peer, frame);
    const request = {
      owner: peer,
      method: frame.method,
      limitMs: limitMsOf(frame.method),
      id: original.id,
      priority: target === undefined ? priorityOf(frame.method) : ("urgent" as const),
      onReport: (report: NotificationFrame, { param }: NamedRequest) =>
        peer.deliver(withParam(report, param, original.id)),
    };
    const { opens } = this.#options;
    const open = opensThread(frame) ? opens.beginOpen(peer, frame) : undefined;
    const send = (): void => this.#upstream.forward(request, frame, settle);
    const patience = new WriterPatience(waitMs);
    const refused = (why: BrokerError): void => {
      refuse(peer, original, why);
      if (open !== undefined) opens.endOpen(open, undefined, UNREAD.has(why.kind));
    };
    const settle = (outcome: Outcome): void => {
      if (threadId !== undefined && isHeldElsewhere(frame, outcome) && !this.#gone.has(peer)) {
        return void this.#writers.wait(threadId, patience, { again: send, giveUp: refused });
      }
      answered?.(outcome);
      const failed = BrokerError.is(outcome) || outcome.error !== undefined;
      this.#handles.answered(peer, frame, failed);
      if (BrokerError.is(outcome)) return refused(outcome);
      const catchUp =
        open !== undefined && !failed ? this.#opened(peer, frame, outcome) : undefined;
      peer.send(responseFor(peer, original, outcome));
      catchUp?.();
      if (open !== undefined) opens.endOpen(open, threadInResult(outcome.result));
    };
    const ready = open === undefined ? undefined : opens.readyFor(open);
    if (ready === undefined) return send();
    void ready.then(() => {
      if (this.#gone.has(peer)) return refused(new BrokerError("connectionClosed", "It has gone."));
      return this.#refusal === undefined ? send() : refused(this.#refusal);
    });
  }

  /** Nobody waits any more for what another app-server has to let go of first. */
  refuseWaiting(why: BrokerError): void {
    this.#refusal = why;
    this.#writers.refuse(why);
  }

  /** The client's notification, as the app-server is to get it. */
  notify(peer: Peer, frame: NotificationFrame): void {
    const named = requestNamedBy(frame);
    const target = named && this.#upstream.idOf(peer, named.id);
    if (named !== undefined && target === undefined && mustStay(named)) return;
    this.#upstream.sendLine(withTarget(frame, named, target).line);
  }

  /** The session has gone: what it had waiting or open upstream is ended. */
  leave(peer: Peer): void {
    this.#gone.add(peer);
    this.#upstream.withdraw(peer);
    for (const { id, method } of this.#upstream.outstandingOf(peer)) {
      const cancel = cancelOf(method);
      if (cancel === undefined) continue;
      askQuietly(this.#ask, cancel, { requestId: Number(id) }, RELEASE_LIMIT_MS);
    }
    for (const { method, params } of this.#handles.leave(peer)) {
      askQuietly(this.#ask, method, params, RELEASE_LIMIT_MS);
    }
  }

  /** Handles under the session's name, and a directory where one is needed. */
  #adapted(peer: Peer, frame: RequestFrame): RequestFrame {
    const named = withUpstreamHandles(frame, peer);
    if (!NEED_CWD.has(named.method) || !isRecord(named.params)) return named;
    const cwd = named.params["cwd"];
    if (cwd !== undefined && cwd !== null) return named;
    return withParams(named, { ...named.params, cwd: this.#options.workspace });
  }

  /** It names a request that the app-server has not got from this session, and may have from another. */
  #answerUnsent(peer: Peer, frame: RequestFrame, { id, isKnown }: NamedRequest): void {
    if (!isKnown) {
      const message = `This session has no outstanding request ${id}.`;
      return refuse(peer, frame, new BrokerError("invalidRequest", message));
    }
    this.#upstream.cancelUnsent(peer, id, (method) => cancelOf(method) === frame.method);
    // Codex's own answer where there is nothing to cancel.
    peer.send(resultLine(frame.id, {}));
  }

  #opened(peer: Peer, { method }: RequestFrame, { result }: AnswerFrame): (() => void) | undefined {
    const threadId = threadInResult(result);
    if (threadId === undefined) return undefined;
    const catchUp = this.#options.onOpened(peer, threadId, method, result);
    if (!this.#gone.has(peer)) return catchUp;
    this.#options.onOpenedInVain(peer, threadId);
    return undefined;
  }
}

/** A method that is in the tables and names no request has no such param: what it has, Codex ignores. */
function requestNamedBy(frame: RequestFrame | NotificationFrame): NamedRequest | undefined {
  const named = namedRequest(frame);
  return named?.isKnown === false && isKnownMethod(frame.method) ? undefined : named;
}

/** Whether the app-server must not get the id as it is. The ids of the broker's requests are integers. */
function mustStay({ id, isKnown }: NamedRequest): boolean {
  return isKnown || !id.startsWith('"');
}

/** The message with the app-server's id for the request that it names. */
function withTarget<F extends RequestFrame | NotificationFrame>(
  frame: F,
  named: NamedRequest | undefined,
  id: RawId | undefined,
): F {
  return named === undefined || id === undefined ? frame : withParam(frame, named.param, id);
}

/** The response under the session's own id; an error of the app-server may quote a handle. */
function responseFor(peer: Peer, request: RequestFrame, response: AnswerFrame): Line {
  if (response.error === undefined) return withId(response, request.id);
  const message = inWordsOfSession(response.error.message, request, peer);
  if (message === response.error.message) return withId(response, request.id);
  return errorLine(request.id, { ...response.error, message });
}
