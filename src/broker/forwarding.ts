import { limitMsOf } from "../app-server/method-table.ts";
import { BrokerError } from "../base/errors.ts";
import { withId, withParams, type AnswerFrame, type RequestFrame } from "../wire/frame.ts";
import { isRecord } from "../wire/messages.ts";
import { NEED_CWD } from "../wire/method-kinds.ts";
import { opensThread, startsTurn } from "./admission.ts";
import { askQuietly, type Ask } from "./ask.ts";
import { threadInResult, threadParam } from "./frame-facts.ts";
import { OpenHandles, withUpstreamHandles } from "./handles.ts";
import type { Peer } from "./peer.ts";
import { refuse } from "./refuse.ts";
import type { Outcome, Upstream } from "./upstream.ts";
import { isHeldElsewhere, WriterPatience, WriterWaits, type WriterLookUp } from "./writer-waits.ts";

const RELEASE_LIMIT_MS = 5_000;

export interface ForwardingOptions {
  readonly workspace: string;
  readonly writers: WriterLookUp;
  /** Called when a request that starts a turn is about to leave. @returns what is to hear of its answer. */
  readonly onTurn: (peer: Peer, threadId: string) => (outcome: Outcome) => void;
  /**
   * Called with an answer since which the session hears a thread.
   *
   * @returns what tells it what it has missed, to be called after the answer.
   */
  readonly onOpened: (peer: Peer, threadId: string, method: string, result: unknown) => () => void;
  /** Called instead of that when the session has gone meanwhile: it does not hear the thread. */
  readonly onOpenedInVain: (peer: Peer, threadId: string) => void;
}

/** The way of a request that was admitted: to the app-server, and of its answer back to the session. */
export class Forwarding {
  readonly #upstream: Upstream;
  readonly #ask: Ask;
  readonly #options: ForwardingOptions;
  readonly #handles = new OpenHandles();
  readonly #writers: WriterWaits;
  /** Whose answers are on their way to nobody. */
  readonly #gone = new WeakSet<Peer>();
  #opening = 0;

  constructor(upstream: Upstream, ask: Ask, options: ForwardingOptions) {
    this.#upstream = upstream;
    this.#ask = ask;
    this.#options = options;
    this.#writers = new WriterWaits(options.writers);
  }

  /** Requests on their way whose answer names a thread that is loaded. */
  get opening(): number {
    return this.#opening;
  }

  /** @param waitMs for how long it may wait for a thread that another app-server writes to. */
  forward(peer: Peer, original: RequestFrame, waitMs: number | undefined): void {
    const frame = this.#adapted(peer, original);
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
      urgent: frame.method === "turn/interrupt",
    };
    const send = (): void => this.#upstream.forward(request, frame, settle);
    const opens = opensThread(frame);
    if (opens) this.#opening += 1;
    const patience = new WriterPatience(waitMs);
    const giveUp = (why: BrokerError): void => {
      this.#opening -= 1;
      refuse(peer, original, why);
    };
    const settle = (outcome: Outcome): void => {
      if (threadId !== undefined && isHeldElsewhere(frame, outcome) && !this.#gone.has(peer)) {
        return void this.#writers.wait(threadId, patience, { again: send, giveUp });
      }
      if (opens) this.#opening -= 1;
      answered?.(outcome);
      const failed = BrokerError.is(outcome) || outcome.error !== undefined;
      this.#handles.answered(peer, frame, failed);
      if (BrokerError.is(outcome)) return refuse(peer, original, outcome);
      const catchUp = opens && !failed ? this.#opened(peer, frame, outcome) : undefined;
      peer.send(withId(outcome, original.id));
      catchUp?.();
    };
    send();
  }

  /** Nobody waits any more for what another app-server has to let go of first. */
  refuseWaiting(why: BrokerError): void {
    this.#writers.refuse(why);
  }

  /** The session has gone: what it had waiting or open upstream is ended. */
  leave(peer: Peer): void {
    this.#gone.add(peer);
    this.#upstream.withdraw(peer);
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

  #opened(peer: Peer, { method }: RequestFrame, { result }: AnswerFrame): (() => void) | undefined {
    const threadId = threadInResult(result);
    if (threadId === undefined) return undefined;
    const catchUp = this.#options.onOpened(peer, threadId, method, result);
    if (!this.#gone.has(peer)) return catchUp;
    this.#options.onOpenedInVain(peer, threadId);
    return undefined;
  }
}
