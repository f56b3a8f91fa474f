import type { ClientRequests } from "../app-server/generated/index.ts";
import { asBrokerError, BrokerError } from "../base/errors.ts";
import { deferred } from "../base/deferred.ts";
import { trace } from "../base/trace.ts";
import type { ServingRecord } from "../lifecycle/epoch-file.ts";
import type { BrokerRequests, BrokerStatus } from "../wire/broker-protocol.ts";
import type { Connection, RequestOptions } from "../wire/connection.ts";
import { isRecord } from "../wire/messages.ts";
import { historyPage } from "./history.ts";
import type { Inbox, NotificationListener, QuestionHandler } from "./inbox.ts";
import type { Policy } from "../wire/policy.ts";
import { THREAD_OPENERS, TURN_STARTERS } from "../wire/method-kinds.ts";
import type { Open, Opened } from "./opened.ts";
import { openedThread, ThreadBook, threadIn } from "./thread-book.ts";
import type { JoinOptions, ReviewOptions, TurnOptions } from "./turn-options.ts";
import { UsedThreads } from "./used-threads.ts";
import { QueuedElsewhere, queueWishIn } from "./queued-elsewhere.ts";
import { TurnRun } from "./turn.ts";

/** Every request with a known shape: Codex's own, and the broker's. */
export interface KnownRequests extends ClientRequests, BrokerRequests {}

/** Where a request goes, and with which parameters. */
interface Place {
  readonly target: Opened;
  readonly sent: unknown;
}

interface Waiting {
  readonly connection: Connection;
  readonly listener: () => void;
}

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
  readonly #policy: Policy | undefined;
  readonly #closed = deferred<BrokerError>();
  /** Open connections, each with the turns that run on it. */
  readonly #turnsOn = new Map<Opened, Set<TurnRun>>();
  readonly #threads = new ThreadBook<Opened>({ onLeft: (threadId) => this.#left(threadId) });
  readonly #used = new UsedThreads((threadId) => this.#release(threadId));
  readonly #queued = new QueuedElsewhere();
  /** What opens a thread for a turn, and is not to wait for a broker that is being replaced. */
  readonly #waiting = new Set<Waiting>();
  /** Connections to brokers that are being replaced. */
  readonly #leaving = new WeakSet<Connection>();
  readonly #closing = new AbortController();
  #current: Opened;
  #moving: Promise<void> | undefined;
  /** Why there was no successor to go to, when one was looked for. */
  #whyNotMoved: BrokerError | undefined;

  /** @internal use `connectBroker` */
  constructor(first: Opened, inbox: Inbox, open: Open, policy?: Policy) {
    this.#policy = policy;
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
    if (method === "broker/unqueue") return await this.#unqueue(params, options);
    let sent = params;
    let next = (): Promise<Place> => this.#reach(method, params);
    for (;;) {
      let target = this.#current;
      try {
        ({ target, sent } = await next());
        return await this.#ask(target, method, sent, options);
      } catch (error) {
        // Refused before anything came of it, so it can be sent again, each time there is a successor.
        if (!BrokerError.is(error) || error.kind !== "draining") throw error;
        await this.#moved();
        if (this.#current === target || options?.deadline?.expired === true) {
          throw this.#whyNotMoved ?? error;
        }
        next = () => this.#follow(method, sent);
      }
    }
  }

  notify(method: string, params?: unknown): void {
    this.#targetOf(threadIn(params)).link.connection.notify(method, params);
  }

  /** Hears every notification that reaches this client. Returns its own undo. */
  onNotification(listener: NotificationListener): () => void {
    return this.#inbox.listen(listener);
  }

  /**
   * Answers what Codex asks in the threads that this client hears, its own turns' questions and others'.
   * What nobody answers is left to the other sessions that hear the thread, and else declined.
   */
  onQuestion(handler: QuestionHandler): void {
    this.#inbox.questionHandler = handler;
  }

  /** Runs one turn: iterate it for its events, await its `result`. */
  runTurn(options: TurnOptions): TurnRun {
    return this.#run(this.#withPolicy(options));
  }

  /** Runs one review: a turn in which Codex's own reviewer looks at changes. */
  runReview(options: ReviewOptions): TurnRun {
    return this.#run(this.#withPolicy(options));
  }

  /** Joins a turn that another one has started: the same events from its beginning, the same `result`. */
  joinTurn(options: JoinOptions): TurnRun {
    return this.#run(options);
  }

  status(): Promise<BrokerStatus> {
    return this.request("broker/status", {});
  }

  /** Ends the connection. Turns that run on it are interrupted by the broker. */
  close(): void {
    this.#closing.abort();
    for (const { link } of this.#turnsOn.keys()) link.connection.close();
    // A move that is under way has no end that could be waited for.
    this.#closed.resolve(this.#current.link.connection.endCause ?? closedHere());
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  async #ask(
    target: Opened,
    method: string,
    params: unknown,
    options: RequestOptions | undefined,
  ): Promise<unknown> {
    const failed = target.work.begin(method, params);
    try {
      const result = await target.link.connection.request(method, params, options);
      this.#threads.answered(method, params, result, target);
      if (THREAD_OPENERS.has(method)) this.#used.keep(openedThread(result));
      return result;
    } catch (error) {
      // One that only takes too long to answer may still have begun a turn.
      failed(BrokerError.is(error) && error.kind === "requestTimedOut");
      throw error;
    }
  }

  #withPolicy<T extends object>(options: T): T {
    return this.#policy === undefined ? options : { policy: this.#policy, ...options };
  }

  #run(options: TurnOptions | ReviewOptions | JoinOptions): TurnRun {
    const turn: TurnRun = new TurnRun(
      {
        inbox: this.#inbox,
        workspace: this.#current.record.workspace,
        connection: async () => {
          await this.#moved();
          const { connection } = this.#current.link;
          this.#turnsOn.get(this.#current)?.add(turn);
          return connection;
        },
        onReplaced: (connection, listener) => this.#onReplaced(connection, listener),
        wasReplaced: (connection) => this.#leaving.has(connection),
        whyNotReplaced: () => this.#whyNotMoved,
        asItWas: (params) => this.#threads.asItWas(params),
        onOpened: async ({ asked, sent, result }, connection) => {
          const at = this.#over(connection);
          this.#used.begin(turn, openedThread(result));
          if (asked !== undefined) {
            return await this.#threads.openedForTurn(asked, sent, result, at);
          }
          this.#threads.opened({}, result, at);
          return result;
        },
        lookUp: (threadId, deadline) => historyPage(this.#open, threadId, deadline),
      },
      options,
    );
    if ("keepThread" in options && options.keepThread) this.#used.keepOf(turn);
    void this.#leaveAfter(turn);
    return turn;
  }

  #adopt(ensured: Opened): void {
    this.#turnsOn.set(ensured, new Set());
    ensured.work.onDone(() => this.#leaveIfDone(ensured));
    if (!this.#inbox.held) ensured.link.socket.unref();
    void ensured.draining.then(({ reconnect }) => {
      if (!reconnect || this.#closing.signal.aborted) return;
      this.#leaving.add(ensured.link.connection);
      for (const { connection, listener } of this.#waiting) {
        if (connection === ensured.link.connection) listener();
      }
      if (ensured === this.#current) void this.#move();
    });
    ensured.onNotification((method, params) => this.#threads.heard(method, params, ensured));
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
      if (this.#closing.signal.aborted) return;
      const { connection } = this.#current.link;
      // The successor may have been replaced, or lost, before this client had reached it.
      if (this.#leaving.has(connection)) void this.#move();
      else if (connection.endCause !== undefined) this.#closed.resolve(connection.endCause);
    });
    return this.#moving;
  }

  async #moveOn(): Promise<void> {
    const left = this.#current;
    try {
      const next = await this.#open(this.#closing.signal);
      if (this.#closing.signal.aborted) return next.link.connection.close();
      this.#current = next;
      this.#whyNotMoved = undefined;
      this.#adopt(next);
      trace("info", "client.moved", { from: left.record.epoch, to: next.record.epoch });
      this.#takeOver(left, next);
      this.#leaveIfDone(left);
    } catch (error) {
      trace("warn", "client.notMoved", { error: String(error) });
      this.#whyNotMoved = asBrokerError(error, "brokerUnavailable");
      this.#leaving.delete(left.link.connection);
    }
  }

  /** What was heard there and has no turn running is heard here from now on. */
  #takeOver(left: Opened, next: Opened): void {
    const runs = new Set([...(this.#turnsOn.get(left) ?? [])].map((turn) => turn.threadId));
    // What no turn needs any more is not taken along.
    for (const threadId of this.#used.unneeded()) {
      if (this.#threads.homeOf(threadId) === left) this.#threads.leave(threadId, left);
    }
    this.#threads.takeOver(left, next, (threadId) => runs.has(threadId));
  }

  /** Where a request belongs; its thread is brought there first, should it have been left meanwhile. */
  async #reach(method: string, params: unknown): Promise<Place> {
    const threadId = threadIn(params);
    await this.#threads.arrival(threadId ?? "");
    const target = this.#targetOf(threadId);
    if (threadId === undefined || !TURN_STARTERS.has(method)) return { target, sent: params };
    this.#used.keep(threadId);
    if (target !== this.#current) return { target, sent: params };
    return { target, sent: await this.#queued.bring(this.#threads, target, params) };
  }

  #targetOf(threadId: string | undefined): Opened {
    const home = threadId === undefined ? undefined : this.#threads.homeOf(threadId);
    return home !== undefined && this.#turnsOn.has(home) ? home : this.#current;
  }

  /**
   * Brings the thread of a request along to the current broker, from one that takes no other turn.
   *
   * @throws BrokerError `threadBusy` while its turn runs there, unless the request is one that waits.
   */
  async #follow(method: string, params: unknown): Promise<Place> {
    const target = this.#current;
    const threadId = threadIn(params);
    if (threadId === undefined || !TURN_STARTERS.has(method)) {
      return { target, sent: params };
    }
    const running = this.#threads.runningAt(threadId);
    if (running?.work.runsTurnOf(threadId) === true && queueWishIn(params) === undefined) {
      const message = `Thread ${threadId} is running a turn, in a broker that takes no other.`;
      throw new BrokerError("threadBusy", message, { details: { threadId } });
    }
    return { target, sent: await this.#queued.bring(this.#threads, target, params) };
  }

  async #unqueue(params: unknown, options: RequestOptions | undefined): Promise<unknown> {
    const here = this.#queued.withdraw(params);
    const target = this.#targetOf(threadIn(params));
    const result = await this.#ask(target, "broker/unqueue", params, options);
    const there = isRecord(result) ? Number(result["unqueued"]) : 0;
    return { unqueued: here + there };
  }

  /** The thread was opened by a turn that has ended, and nobody uses it: its MCP servers can go. */
  #release(threadId: string): void {
    const home = this.#threads.homeOf(threadId);
    if (home === undefined || home.link.connection.endCause !== undefined) return;
    home.link.connection.request("thread/unsubscribe", { threadId }).catch((error: unknown) => {
      trace("info", "client.notReleased", { threadId, error: String(error) });
    });
    this.#threads.leave(threadId, home);
  }

  #left(threadId: string): void {
    this.#used.forget(threadId);
    for (const turns of this.#turnsOn.values()) {
      for (const turn of turns) if (turn.threadId === threadId) turn.left();
    }
  }

  #over(connection: Connection): Opened {
    const over = [...this.#turnsOn.keys()].find(({ link }) => link.connection === connection);
    return over ?? this.#current;
  }

  async #leaveAfter(turn: TurnRun): Promise<void> {
    await Promise.allSettled([turn.result]);
    this.#used.end(turn);
    for (const [ensured, turns] of this.#turnsOn) {
      if (turns.delete(turn)) this.#leaveIfDone(ensured);
    }
  }

  /** An older connection is kept for what is still to come over it. */
  #leaveIfDone(opened: Opened): void {
    if (opened === this.#current || !opened.work.done) return;
    if ((this.#turnsOn.get(opened)?.size ?? 0) > 0) return;
    opened.link.connection.close();
    if (!this.#closing.signal.aborted) this.#takeOver(opened, this.#current);
  }

  #onReplaced(connection: Connection, listener: () => void): () => void {
    if (this.#leaving.has(connection)) queueMicrotask(listener);
    const waiting: Waiting = { connection, listener };
    this.#waiting.add(waiting);
    return () => void this.#waiting.delete(waiting);
  }
}

function closedHere(): BrokerError {
  return new BrokerError("connectionClosed", "The connection was closed by this program.");
}
