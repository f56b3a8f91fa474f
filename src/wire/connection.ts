import { BrokerError, messageOf } from "../base/errors.ts";
import { type Deadline } from "../base/deadline.ts";
import { deferred, type Deferred } from "../base/deferred.ts";
import { decodeFrame, type AnswerFrame, type RequestFrame } from "./frame.ts";
import { LineChannel, type Streams } from "./line-channel.ts";
import {
  errorLine,
  fromRpcError,
  notificationLine,
  requestLine,
  resultLine,
  RpcError,
  toRpcError,
} from "./messages.ts";

export interface ConnectionOptions {
  /** Called for each notification, in the order of arrival. */
  readonly onNotification?: (method: string, params: unknown) => void;
  /** Answers a request of the other side. A thrown RpcError or BrokerError becomes the error answer. */
  readonly onRequest?: (method: string, params: unknown) => unknown;
  /** Called when the first request becomes pending (true) and when none is left (false). */
  readonly onBusy?: (busy: boolean) => void;
  readonly maxLineBytes: number;
}

export interface RequestOptions {
  readonly deadline?: Deadline;
  readonly signal?: AbortSignal;
}

/**
 * JSON-RPC over any pair of streams, one message a line. Every pending request is settled, with the
 * cause, the moment the connection ends; a later one is refused at once.
 */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #channel: LineChannel;
  readonly #pending = new Map<string, Deferred<unknown>>();
  readonly #closed = deferred<BrokerError>();
  #nextId = 1;
  #end: BrokerError | undefined;

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

  get endCause(): BrokerError | undefined {
    return this.#end;
  }

  /**
   * @throws BrokerError `connectionLost`, `connectionClosed` or `requestTimedOut`, or another kind the
   *   broker answered with; RpcError when the app-server answered with an error of its own.
   */
  async request(method: string, params?: unknown, options: RequestOptions = {}): Promise<unknown> {
    if (this.#end !== undefined) throw this.#end;
    options.signal?.throwIfAborted();
    const id = String(this.#nextId++);
    // Before it counts as pending: what cannot be written as JSON throws here.
    const line = requestLine(id, method, params);
    const answer = deferred<unknown>();
    const abort = (): void => answer.reject(options.signal?.reason);
    options.signal?.addEventListener("abort", abort, { once: true });
    this.#pending.set(id, answer);
    if (this.#pending.size === 1) this.#options.onBusy?.(true);
    this.#channel.send(line);
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
      this.#pending.delete(id);
      if (this.#pending.size === 0) this.#options.onBusy?.(false);
    }
  }

  notify(method: string, params?: unknown): void {
    if (this.#end !== undefined) throw this.#end;
    this.#channel.send(notificationLine(method, params));
  }

  /** Sends what is queued and ends the connection; pending requests are rejected with `connectionClosed`. */
  close(): void {
    if (this.#end !== undefined) return;
    this.#channel.finish();
    this.#settle(new BrokerError("connectionClosed", "The connection was closed by this program."));
  }

  /** Ends the connection now, with the cause that everyone who waits is told. */
  destroy(cause: BrokerError): void {
    this.#settle(cause);
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
        return this.#options.onNotification?.(frame.method, frame.params);
      case "request":
        return void this.#serve(frame);
      case "fault":
        return this.#fail(frame.error);
    }
  }

  #answer(frame: AnswerFrame): void {
    const pending = this.#pending.get(frame.id);
    if (pending === undefined) return;
    if (frame.error === undefined) pending.resolve(frame.result);
    else pending.reject(fromRpcError(frame.error));
  }

  async #serve(frame: RequestFrame): Promise<void> {
    let line: string;
    try {
      if (this.#options.onRequest === undefined) {
        throw new RpcError({ code: -32601, message: `${frame.method} is not handled here` });
      }
      line = resultLine(frame.id, await this.#options.onRequest(frame.method, frame.params));
    } catch (error) {
      line = errorLine(frame.id, toErrorObject(error));
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

  #settle(cause: BrokerError): void {
    if (this.#end !== undefined) return;
    this.#end = cause;
    for (const pending of this.#pending.values()) pending.reject(cause);
    this.#closed.resolve(cause);
  }
}

function connectionLost(cause: Error | undefined): BrokerError {
  const reason = cause === undefined ? "the other side ended it" : cause.message;
  return new BrokerError("connectionLost", `The connection was lost: ${reason}.`, { cause });
}

function toErrorObject(error: unknown): { code: number; message: string } {
  if (error instanceof RpcError) return error.toJSON();
  if (BrokerError.is(error)) return toRpcError(error);
  return { code: -32603, message: messageOf(error) };
}
