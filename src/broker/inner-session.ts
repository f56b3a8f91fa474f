import { BrokerError } from "../base/errors.ts";
import { deferred, type Deferred } from "../base/deferred.ts";
import { trace } from "../base/trace.ts";
import { decodeFrame, type NotificationFrame, type RequestFrame } from "../wire/frame.ts";
import { bytesOf, type Line } from "../wire/line.ts";
import {
  errorLine,
  fromRpcError,
  METHOD_NOT_FOUND,
  requestLine,
  resultLine,
  type RawId,
} from "../wire/messages.ts";
import type { Peer } from "./peer.ts";
import type { Router } from "./router.ts";

export interface InnerSessionEvents {
  onNotification(method: string, params: unknown): void;
  /** Resolves with the response; undefined leaves the request to the other subscribers of the thread. */
  onQuestion(method: string, params: unknown): Promise<unknown>;
}

/** Far above the sessions that connect, which count from 1. */
let nextId = 1_000_000_000;

/**
 * A session without a client: the broker's own. To the router it is one like any other, so its turns
 * are counted, its threads heard and its end waited for as anybody's.
 */
export class InnerSession implements Peer {
  readonly id = nextId++;
  readonly experimentalApi = false;
  readonly whenBusy = "refuse";
  readonly #router: Router;
  readonly #events: InnerSessionEvents;
  readonly #pending = new Map<RawId, Deferred<unknown>>();
  #lastRequest = 0;

  constructor(router: Router, events: InnerSessionEvents) {
    this.#router = router;
    this.#events = events;
  }

  /** @throws BrokerError or RpcError, as a client gets them. */
  request(method: string, params: unknown): Promise<unknown> {
    const id = String((this.#lastRequest += 1));
    const frame = decodeFrame(bytesOf(requestLine(id, method, params)));
    if (frame.kind !== "request") throw new Error(`${method} makes no request`);
    const answer = deferred<unknown>();
    this.#pending.set(id, answer);
    this.#router.request(this, frame);
    return answer.promise;
  }

  deliver(frame: NotificationFrame): void {
    this.#events.onNotification(frame.method, frame.params);
  }

  send(line: Line): void {
    const frame = decodeFrame(bytesOf(line));
    if (frame.kind === "notification") return this.deliver(frame);
    // Only when everybody has been asked: whoever passes first must not have been the only one.
    if (frame.kind === "request") return queueMicrotask(() => void this.#answer(frame));
    if (frame.kind !== "answer") return;
    const pending = this.#pending.get(frame.id);
    this.#pending.delete(frame.id);
    if (frame.error === undefined) pending?.resolve(frame.result);
    else pending?.reject(fromRpcError(frame.error));
  }

  end(): void {
    this.#router.leave(this);
    const gone = new BrokerError("connectionClosed", "The session has ended.");
    for (const pending of this.#pending.values()) pending.reject(gone);
    this.#pending.clear();
  }

  async #answer({ id, method, params }: RequestFrame): Promise<void> {
    const result = await this.#events.onQuestion(method, params).catch((error: unknown) => {
      trace("warn", "session.requestFailed", { method, error: String(error) });
    });
    const nobody = { code: METHOD_NOT_FOUND, message: "nobody is here to decide" };
    const line = result === undefined ? errorLine(id, nobody) : resultLine(id, result);
    const answer = decodeFrame(bytesOf(line));
    if (answer.kind === "answer") this.#router.answer(this, answer);
  }
}
