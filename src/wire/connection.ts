import { BrokerError } from "../base/errors.ts";
import { type Deadline } from "../base/deadline.ts";
import { deferred, type Deferred } from "../base/deferred.ts";
import {
  decodeFrame,
  withId,
  type AnswerFrame,
  type NotificationFrame,
  type RequestFrame,
} from "./frame.ts";
import type { Line } from "./line.ts";
import { LineChannel, type Streams } from "./line-channel.ts";
import {
  errorLine,
  fromRpcError,
  notHandled,
  notificationLine,
  requestLine,
  resultLine,
  rpcErrorOf,
  RpcError,
  type RawId,
} from "./messages.ts";

export interface ConnectionOptions {
  /** Called for each notification, in the order of arrival. */
  readonly onNotification?: (method: string, params: unknown) => void;
  /** Answers a request of the other side. A thrown RpcError or BrokerError becomes the error answer. */
  readonly onRequest?: (method: string, params: unknown, id: RawId) => unknown;
  /** Takes what the other side says and asks just as it came; then the two above are not called. */
  readonly onFrame?: (frame: NotificationFrame | RequestFrame) => void;
  /** Called when the first request becomes pending (true) and when none is left (false). */
  readonly onBusy?: (busy: boolean) => void;
  readonly maxLineBytes: number;
}

export interface RequestOptions {
  readonly deadline?: Deadline;
  readonly signal?: AbortSignal;
}

/** What came of a request; an error of the other side is an answer too. */
export type Outcome = AnswerFrame | BrokerError;

/**
 * JSON-RPC over any pair of streams, one message a line. Every pending request is settled, with the
 * cause, the moment the connection ends; a later one is refused at once.
 */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #channel: LineChannel;
  readonly #pending = new Map<RawId, (outcome: Outcome) => void>();
  readonly #closed = deferred<BrokerError>();
  readonly #onEnd = new Set<(cause: BrokerError) => void>();
  #nextId = 1;
  #end: BrokerError | undefined;
  /** Why requests are refused that the other side has not received. */
  #refusal: BrokerError | undefined;

  constructor(streams: Streams, options: ConnectionOptions) {
    this.#options = options;
    this.#channel = new LineChannel(
      streams,
      {
        onLine: (line) => this.#receive(line),
        onOversizedLine: (limit) =>
          this.#fail(
            new BrokerError("frameTooLarge", `A message of more than ${limit} bytes arrived.`),
          ),
        onEnd: (cause) => this.#settle(connectionLost(cause)),
      },
      options.maxLineBytes,
    );
  }

  /** Resolves with the cause when the connection has ended. Never rejects. */
  get closed(): Promise<BrokerError> {
    return this.#closed.promise;
  }

  /**
   * Calls the listener with the cause when the connection ends; soon if it has ended. What lives shorter
   * than the connection must not wait for `closed`: a promise keeps everything that waits for it.
   *
   * @returns its own undo.
   */
  onEnd(listener: (cause: BrokerError) => void): () => void {
    const cause = this.#end;
    if (cause === undefined) this.#onEnd.add(listener);
    else queueMicrotask(() => listener(cause));
    return () => void this.#onEnd.delete(listener);
  }

  get endCause(): BrokerError | undefined {
    return this.#end;
  }

  /**
   * @throws BrokerError `connectionLost`, `connectionClosed` or `requestTimedOut`, or another kind the
   *   broker answered with; RpcError when the app-server answered with an error of its own.
   */
  async request(method: string, params?: unknown, options: RequestOptions = {}): Promise<unknown> {
    if (this.#refusal !== undefined) throw this.#refusal;
    options.signal?.throwIfAborted();
    const answer = deferred<unknown>();
    const abort = (): void => answer.reject(options.signal?.reason);
    options.signal?.addEventListener("abort", abort, { once: true });
    // What cannot be written as JSON throws here.
    const id = this.#ask(
      (id) => requestLine(id, method, params),
      (outcome) => settle(answer, outcome),
    );
    try {
      if (options.deadline === undefined) return await answer.promise;
      return await options.deadline.race(
        answer.promise,
        () =>
          new BrokerError("requestTimedOut", `No answer to ${method} in time.`, {
            details: { method },
          }),
      );
    } finally {
      options.signal?.removeEventListener("abort", abort);
      this.#forget(id);
    }
  }

  /**
   * Another's request, every byte as it came but the id. `onOutcome` is called once, in the order in
   * which everything else arrives here.
   *
   * @returns its id on this connection; undefined when that has ended.
   */
  forward(frame: RequestFrame, onOutcome: (outcome: Outcome) => void): RawId | undefined {
    if (this.#refusal === undefined) return this.#ask((id) => withId(frame, id), onOutcome);
    onOutcome(this.#refusal);
    return undefined;
  }

  /** A line that is already complete: another's notification, or the answer to what came as a frame. */
  sendLine(line: Line): void {
    this.#channel.send(line);
  }

  notify(method: string, params?: unknown): void {
    if (this.#end !== undefined) throw this.#end;
    this.#channel.send(notificationLine(method, params));
  }

  /** Sends what is queued and ends the connection; pending requests are rejected with `connectionClosed`. */
  close(): void {
    if (this.#end !== undefined) return;
    this.#channel.close();
    this.#settle(new BrokerError("connectionClosed", "The connection was closed by this program."));
  }

  /**
   * Ends the connection now.
   *
   * @param refusal rejects the pending requests and all later ones. Default: the cause.
   */
  destroy(cause: BrokerError, refusal: BrokerError = cause): void {
    this.#settle(cause, refusal);
    this.#channel.destroy();
  }

  #receive(line: Buffer): void {
    // What still comes after this side has ended the connection is nobody's any more.
    if (this.#end !== undefined) return;
    const frame = decodeFrame(line);
    switch (frame.kind) {
      case "answer":
        return this.#answer(frame);
      case "notification":
        if (this.#options.onFrame !== undefined) return this.#options.onFrame(frame);
        return this.#options.onNotification?.(frame.method, frame.params);
      case "request":
        if (this.#options.onFrame !== undefined) return this.#options.onFrame(frame);
        return void this.#serve(frame);
      case "fault":
        return this.#fail(frame.error);
    }
  }

  #ask(line: (id: RawId) => Line, onOutcome: (outcome: Outcome) => void): RawId {
    const id = String(this.#nextId++);
    const text = line(id);
    this.#pending.set(id, onOutcome);
    if (this.#pending.size === 1) this.#options.onBusy?.(true);
    this.#channel.send(text);
    return id;
  }

  #answer(frame: AnswerFrame): void {
    const onOutcome = this.#pending.get(frame.id);
    if (onOutcome === undefined) return;
    onOutcome(frame);
    this.#forget(frame.id);
  }

  #forget(id: RawId): void {
    if (this.#pending.delete(id) && this.#pending.size === 0) this.#options.onBusy?.(false);
  }

  async #serve(frame: RequestFrame): Promise<void> {
    let line: Line;
    try {
      if (this.#options.onRequest === undefined) {
        throw new RpcError(notHandled(frame.method));
      }
      line = resultLine(
        frame.id,
        await this.#options.onRequest(frame.method, frame.params, frame.id),
      );
    } catch (error) {
      line = errorLine(frame.id, rpcErrorOf(error));
    }
    this.#channel.send(line);
  }

  #fail(error: BrokerError): void {
    this.destroy(
      new BrokerError("invalidAnswer", `The other side sent what is no message: ${error.message}`, {
        cause: error,
      }),
    );
  }

  #settle(cause: BrokerError, refusal: BrokerError = cause): void {
    if (this.#end !== undefined) return;
    this.#end = cause;
    this.#refusal = refusal;
    for (const onOutcome of this.#pending.values()) onOutcome(refusal);
    for (const id of this.#pending.keys()) this.#forget(id);
    for (const listener of this.#onEnd) listener(cause);
    this.#onEnd.clear();
    this.#closed.resolve(cause);
  }
}

function settle(answer: Deferred<unknown>, outcome: Outcome): void {
  if (BrokerError.is(outcome)) answer.reject(outcome);
  else if (outcome.error === undefined) answer.resolve(outcome.result);
  else answer.reject(fromRpcError(outcome.error));
}

function connectionLost(cause: Error | undefined): BrokerError {
  const reason = cause === undefined ? "the other side ended it" : cause.message;
  return new BrokerError("connectionLost", `The connection was lost: ${reason}.`, { cause });
}
