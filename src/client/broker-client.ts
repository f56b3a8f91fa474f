import type { ClientRequests } from "../app-server/generated/index.ts";
import { BrokerError } from "../base/errors.ts";
import { Deadline } from "../base/deadline.ts";
import { deferred } from "../base/deferred.ts";
import { trace } from "../base/trace.ts";
import type { Ensured } from "../lifecycle/ensure.ts";
import type { ServingRecord } from "../lifecycle/epoch-file.ts";
import type { BrokerRequests, BrokerStatus, Draining } from "../wire/broker-protocol.ts";
import type { Connection, RequestOptions } from "../wire/connection.ts";
import { isRecord } from "../wire/messages.ts";
import type { Inbox, NotificationListener, QuestionHandler } from "./inbox.ts";
import { TurnRun, type TurnOptions } from "./turn.ts";

/** Every request with a known shape: Codex's own, and the broker's. */
export interface KnownRequests extends ClientRequests, BrokerRequests {}

const SUBSCRIBING = new Set(["thread/start", "thread/resume", "thread/fork"]);
const RESUME_LIMIT_MS = 10_000;

/** An open connection whose broker's app-server has answered. */
export interface Opened extends Ensured {
  /** Resolves when the broker takes no new work any more. */
  readonly draining: Promise<Draining>;
}

/** Opens one more connection whose messages reach the same inbox. */
export type Open = (signal?: AbortSignal) => Promise<Opened>;

/**
 * A connection to a healthy broker. It does not keep the process alive while nothing is awaited, and
 * every wait on it is settled, with the cause, when it ends.
 *
 * When the broker is replaced, the client goes on with its successor by itself: new work and idle
 * threads move there at once, turns that run finish where they are.
 */
export class BrokerClient {
  readonly #inbox: Inbox;
  readonly #open: Open;
  readonly #closed = deferred<BrokerError>();
  /** Open connections, each with the turns that run on it. */
  readonly #turnsOn = new Map<Opened, Set<TurnRun>>();
  /** Where each thread that this client has opened is heard. */
  readonly #homes = new Map<string, Opened>();
  /** Connections to brokers that are being replaced. */
  readonly #leaving = new WeakSet<Connection>();
  readonly #closing = new AbortController();
  #current: Opened;
  #moving: Promise<void> | undefined;

  /** @internal use `connectBroker` */
  constructor(first: Opened, inbox: Inbox, open: Open) {
    this.#inbox = inbox;
    this.#open = open;
    this.#current = first;
    this.#adopt(first);
    inbox.onHeld((held) => {
      for (const { link } of this.#turnsOn.keys()) {
        void (held ? link.socket.ref() : link.socket.unref());
      }
    });
  }

  get epoch(): number {
    return this.#current.record.epoch;
  }

  get instance(): string {
    return this.#current.record.instance;
  }

  /** Whether the broker was started for this client. */
  get started(): boolean {
    return this.#current.started;
  }

  /** What stands in the broker's epoch file, without its secret. */
  get record(): Omit<ServingRecord, "token"> {
    const { token: _secret, ...rest } = this.#current.record;
    return rest;
  }

  /** Resolves with the cause when the connection has ended and no successor was to be had. Never rejects. */
  get closed(): Promise<BrokerError> {
    return this.#closed.promise;
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
  async request(method: string, params?: unknown, options?: RequestOptions): Promise<unknown> {
    await this.#moved();
    const target = this.#targetOf(params);
    try {
      const result = await target.link.connection.request(method, params, options);
      this.#noteThread(method, params, result, target);
      return result;
    } catch (error) {
      // Refused before anything came of it, so it can be asked again elsewhere.
      if (!BrokerError.is(error) || error.kind !== "draining") throw error;
      await this.#moved();
      if (this.#current === target) throw error;
      return await this.#current.link.connection.request(method, params, options);
    }
  }

  notify(method: string, params?: unknown): void {
    this.#targetOf(params).link.connection.notify(method, params);
  }

  /** Hears every notification that reaches this client. Returns its own undo. */
  onNotification(listener: NotificationListener): () => void {
    return this.#inbox.listen(listener);
  }

  /** Answers what the app-server asks. Without a handler, everything is declined. */
  onQuestion(handler: QuestionHandler): void {
    this.#inbox.questionHandler = handler;
  }

  /** Runs one turn: iterate it for its events, await its `result`. */
  runTurn(options: TurnOptions): TurnRun {
    const turn: TurnRun = new TurnRun(
      {
        inbox: this.#inbox,
        connection: async () => {
          await this.#moved();
          const { connection } = this.#current.link;
          this.#turnsOn.get(this.#current)?.add(turn);
          return connection;
        },
        wasReplaced: (connection) => this.#leaving.has(connection),
        onThread: (threadId) => void this.#homes.set(threadId, this.#current),
        lookUp: (threadId) => this.#lookUp(threadId),
      },
      options,
    );
    void this.#leaveAfter(turn);
    return turn;
  }

  status(): Promise<BrokerStatus> {
    return this.request("broker/status", {});
  }

  /** Ends the connection. Turns that run on it are interrupted by the broker. */
  close(): void {
    this.#closing.abort();
    for (const { link } of this.#turnsOn.keys()) link.connection.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  #adopt(ensured: Opened): void {
    this.#turnsOn.set(ensured, new Set());
    if (!this.#inbox.held) ensured.link.socket.unref();
    void ensured.draining.then(({ reconnect }) => {
      if (!reconnect || this.#closing.signal.aborted) return;
      this.#leaving.add(ensured.link.connection);
      if (ensured === this.#current) void this.#move();
    });
    void ensured.link.connection.closed.then((cause) => {
      this.#turnsOn.delete(ensured);
      if (ensured === this.#current && this.#moving === undefined) this.#closed.resolve(cause);
    });
  }

  /** Where this client is, it is now: no move is under way. */
  async #moved(): Promise<void> {
    while (this.#moving !== undefined) await this.#moving;
  }

  #move(): Promise<void> {
    this.#moving ??= this.#moveOn().finally(() => {
      this.#moving = undefined;
      // The successor may have been replaced while this client was on its way there.
      if (this.#leaving.has(this.#current.link.connection)) void this.#move();
    });
    return this.#moving;
  }

  async #moveOn(): Promise<void> {
    const left = this.#current;
    try {
      const next = await this.#open(this.#closing.signal);
      if (this.#closing.signal.aborted) return next.link.connection.close();
      this.#current = next;
      this.#adopt(next);
      trace("info", "client.moved", { from: left.record.epoch, to: next.record.epoch });
      await this.#resumeIdleThreads(left, next);
      this.#leaveWhenDone(left);
    } catch (error) {
      trace("warn", "client.notMoved", { error: String(error) });
      this.#leaving.delete(left.link.connection);
      if (left.link.connection.endCause !== undefined) {
        this.#closed.resolve(left.link.connection.endCause);
      }
    }
  }

  /** What was heard before is heard again, unless a turn still runs there. */
  async #resumeIdleThreads(left: Opened, next: Opened): Promise<void> {
    const busy = new Set([...(this.#turnsOn.get(left) ?? [])].map((turn) => turn.threadId));
    const idle = [...this.#homes].filter(([id, home]) => home === left && !busy.has(id));
    const deadline = Deadline.after(RESUME_LIMIT_MS);
    for (const [threadId] of idle) {
      this.#homes.set(threadId, next);
      const params = { threadId, excludeTurns: true };
      await next.link.connection
        .request("thread/resume", params, { deadline })
        .catch((error: unknown) => {
          // One that never had a turn is lost with its app-server; whoever uses it is told so then.
          trace("info", "client.notResumed", { threadId, error: String(error) });
        });
    }
  }

  async #leaveAfter(turn: TurnRun): Promise<void> {
    await Promise.allSettled([turn.result]);
    for (const [ensured, turns] of this.#turnsOn) {
      if (turns.delete(turn) && ensured !== this.#current) this.#leaveWhenDone(ensured);
    }
  }

  #leaveWhenDone(left: Opened): void {
    if ((this.#turnsOn.get(left)?.size ?? 0) === 0) left.link.connection.close();
  }

  #targetOf(params: unknown): Opened {
    const threadId = isRecord(params) ? params["threadId"] : undefined;
    const home = typeof threadId === "string" ? this.#homes.get(threadId) : undefined;
    return home !== undefined && this.#turnsOn.has(home) ? home : this.#current;
  }

  #noteThread(method: string, params: unknown, result: unknown, target: Opened): void {
    if (method === "thread/unsubscribe" && isRecord(params)) {
      this.#homes.delete(String(params["threadId"]));
    }
    const thread = SUBSCRIBING.has(method) && isRecord(result) ? result["thread"] : undefined;
    if (isRecord(thread)) this.#homes.set(String(thread["id"]), target);
  }

  /** The thread's latest turns, asked of whichever broker is there by then. */
  async #lookUp(threadId: string): Promise<ClientRequests["thread/turns/list"]["result"]> {
    const { link } = await this.#open();
    try {
      const params = { threadId, limit: 5 };
      const page = await link.connection.request("thread/turns/list", params);
      return page as ClientRequests["thread/turns/list"]["result"];
    } finally {
      link.connection.close();
    }
  }
}
