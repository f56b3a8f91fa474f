import type { ClientRequests } from "../app-server/generated/index.ts";
import type { BrokerError } from "../base/errors.ts";
import { Deadline } from "../base/deadline.ts";
import type { Ensured } from "../lifecycle/ensure.ts";
import type { ServingRecord } from "../lifecycle/epoch-file.ts";
import type { BrokerRequests, BrokerStatus } from "../wire/broker-protocol.ts";
import type { Connection, RequestOptions } from "../wire/connection.ts";
import type { Inbox, NotificationListener, QuestionHandler } from "./inbox.ts";
import { TurnRun, type TurnOptions } from "./turn.ts";

/** Every request with a known shape: Codex's own, and the broker's. */
export interface KnownRequests extends ClientRequests, BrokerRequests {}

/**
 * A connection to a healthy broker. It does not keep the process alive while nothing is awaited, and
 * every wait on it is settled, with the cause, when it ends.
 */
export class BrokerClient {
  readonly #ensured: Ensured;
  readonly #inbox: Inbox;
  readonly #connection: Connection;
  readonly #reconnect: () => Promise<BrokerClient>;

  /** @internal use `connectBroker` */
  constructor(ensured: Ensured, inbox: Inbox, reconnect: () => Promise<BrokerClient>) {
    this.#ensured = ensured;
    this.#inbox = inbox;
    this.#connection = ensured.link.connection;
    this.#reconnect = reconnect;
    const { socket } = ensured.link;
    inbox.onHeld((held) => void (held ? socket.ref() : socket.unref()));
  }

  get epoch(): number {
    return this.#ensured.record.epoch;
  }

  get instance(): string {
    return this.#ensured.record.instance;
  }

  /** Whether this very call started the broker. */
  get started(): boolean {
    return this.#ensured.started;
  }

  /** What stands in the broker's epoch file, without its secret. */
  get record(): Omit<ServingRecord, "token"> {
    const { token: _secret, ...rest } = this.#ensured.record;
    return rest;
  }

  /** Resolves with the cause when the connection has ended. Never rejects. */
  get closed(): Promise<BrokerError> {
    return this.#connection.closed;
  }

  /**
   * Sends a request to the app-server, or to the broker for `broker/…`.
   *
   * @throws RpcError what the app-server answered; BrokerError everything else.
   */
  request<M extends keyof KnownRequests>(
    method: M,
    params: KnownRequests[M]["params"],
    options?: RequestOptions,
  ): Promise<KnownRequests[M]["result"]>;
  request(method: string, params?: unknown, options?: RequestOptions): Promise<unknown>;
  request(method: string, params?: unknown, options?: RequestOptions): Promise<unknown> {
    return this.#connection.request(method, params, options);
  }

  notify(method: string, params?: unknown): void {
    this.#connection.notify(method, params);
  }

  /** Hears every notification that reaches this connection. Returns its own undo. */
  onNotification(listener: NotificationListener): () => void {
    return this.#inbox.listen(listener);
  }

  /** Answers what the app-server asks. Without a handler, everything is declined. */
  onQuestion(handler: QuestionHandler): void {
    this.#inbox.questionHandler = handler;
  }

  /** Runs one turn: iterate it for its events, await its `result`. */
  runTurn(options: TurnOptions): TurnRun {
    return new TurnRun(
      { connection: this.#connection, inbox: this.#inbox, reconnect: this.#reconnect },
      options,
    );
  }

  status(): Promise<BrokerStatus> {
    return this.request("broker/status", {});
  }

  /** Waits until the broker's app-server has answered. @throws BrokerError why it cannot. */
  async ready(deadline: Deadline = Deadline.never()): Promise<void> {
    if (this.#ensured.link.hello.state === "serving") return;
    await this.request("broker/health", {}, { deadline });
  }

  /** Ends the connection. Turns that run on it are interrupted by the broker. */
  close(): void {
    this.#connection.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }
}
