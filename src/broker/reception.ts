import type { Socket } from "node:net";
import { asBrokerError, BrokerError } from "../base/errors.ts";
import { monotonicMs } from "../base/deadline.ts";
import { trace } from "../base/trace.ts";
import type { BrokerCapacity } from "../lifecycle/start-protocol.ts";
import type {
  BrokerHelloParams,
  Disconnected,
  Draining,
  SessionStatus,
} from "../wire/broker-protocol.ts";
import type { RequestFrame } from "../wire/frame.ts";
import { errorLine, notificationLine, resultLine, toRpcError } from "../wire/messages.ts";
import { answerRequestOfOurs, isRequestOfOurs, type BrokerFacade } from "./requests-of-ours.ts";
import type { Router } from "./router.ts";
import { Session, type SessionEvents } from "./session.ts";
import { UnfinishedLines } from "./unfinished-lines.ts";

const DISCONNECTED_KEPT = 10;

/** Connections that have not said `initialize` yet; with one more, that goes which has waited longest. */
const MAX_ARRIVALS = 1_000;

export interface Host extends BrokerFacade {
  /** The answer to `initialize`, once there is one. @throws BrokerError why the start failed. */
  welcome(hello: BrokerHelloParams | undefined): Promise<unknown>;
}

export interface ReceptionEvents {
  /** A session has begun or ended. */
  onSessionsChanged(): void;
  /** A connection has ended that was no session. */
  onArrivalLeft(): void;
}

/** Every connection: accepted, handed on to the broker or to the router, and closed. */
export class Reception {
  readonly #host: Host;
  readonly #router: Router;
  readonly #events: ReceptionEvents;
  readonly #sessions = new Set<Session>();
  /** Connections that have not said `initialize`: no sessions yet. */
  readonly #arrivals = new Set<Session>();
  readonly #capacity: BrokerCapacity;
  readonly #unfinished: UnfinishedLines;
  readonly #disconnected: Array<{
    readonly told: Omit<Disconnected, "agoMs">;
    readonly at: number;
  }> = [];
  #nextSession = 1;

  constructor(host: Host, router: Router, capacity: BrokerCapacity, events: ReceptionEvents) {
    this.#host = host;
    this.#capacity = capacity;
    this.#unfinished = new UnfinishedLines(capacity.maxUnfinishedBytes);
    this.#router = router;
    this.#events = events;
  }

  /** Clients that have said who they are. */
  get sessions(): number {
    return this.#sessions.size;
  }

  /** Sessions, and what may become one. */
  get connections(): number {
    return this.#sessions.size + this.#arrivals.size;
  }

  /** Whether clients of ours are here, which go on with a successor when they are told to. */
  get someMoveByThemselves(): boolean {
    return [...this.#sessions].some((session) => session.movesByItself);
  }

  /**
   * Clients of ours ask for a broker when they are told to, and so bring about the successor. This one
   * serves everybody else until that one is there, so that nobody finds a gap.
   */
  sendOn(draining: Draining): void {
    const line = notificationLine("broker/draining", draining);
    for (const session of this.#sessions) if (session.movesByItself) session.send(line);
  }

  status(): SessionStatus[] {
    return [...this.#sessions].map((session) => session.status(this.#router.threadsOf(session)));
  }

  /** The latest sessions that the broker itself has ended. */
  disconnected(): Disconnected[] {
    const now = monotonicMs();
    return this.#disconnected.map(({ told, at }) => ({ ...told, agoMs: Math.round(now - at) }));
  }

  accept(socket: Socket): void {
    const events: SessionEvents = {
      onInitialize: (from, frame) => void this.#initialize(from, frame),
      onRequest: (from, frame) => this.#request(from, frame),
      onNotification: (from, frame) => this.#router.notification(from, frame),
      onAnswer: (from, frame) => this.#router.answer(from, frame),
      onEnd: (from, error) => this.#ended(from, error),
    };
    const id = this.#nextSession++;
    this.#arrivals.add(new Session(id, socket, events, this.#capacity, this.#unfinished));
    const [oldest] = this.#arrivals;
    if (this.#arrivals.size > MAX_ARRIVALS) oldest?.destroy();
  }

  /** Whether other clients are here, which end no connection by themselves, or may be. */
  get someStay(): boolean {
    return [...this.#sessions, ...this.#arrivals].some((each) => !each.movesByItself);
  }

  /** Every session gets what is queued for it, and then the end of the connection. */
  finish(error: BrokerError): void {
    for (const each of [...this.#sessions, ...this.#arrivals]) each.finish(error);
  }

  destroy(): void {
    for (const each of [...this.#sessions, ...this.#arrivals]) each.destroy();
  }

  async #initialize(session: Session, frame: RequestFrame): Promise<void> {
    const { maxSessions } = this.#capacity;
    if (this.#sessions.size >= maxSessions) {
      const error = new BrokerError(
        "tooManySessions",
        `This broker has ${maxSessions} sessions already.`,
        { details: { limit: maxSessions } },
      );
      session.send(errorLine(frame.id, toRpcError(error)));
      return session.finish(error);
    }
    const hello = session.introduce(frame.params);
    this.#arrivals.delete(session);
    this.#sessions.add(session);
    this.#events.onSessionsChanged();
    try {
      session.send(resultLine(frame.id, await this.#host.welcome(hello)));
      if (this.#sessions.has(session)) this.#router.join(session);
    } catch (error) {
      session.send(errorLine(frame.id, toRpcError(asBrokerError(error, "appServerStartFailed"))));
    }
  }

  #request(session: Session, frame: RequestFrame): void {
    if (!isRequestOfOurs(frame.method)) return this.#router.request(session, frame);
    answerRequestOfOurs(this.#host, session, frame).then(
      (result) => session.send(resultLine(frame.id, result)),
      (error: unknown) => {
        session.send(errorLine(frame.id, toRpcError(asBrokerError(error, "invalidRequest"))));
      },
    );
  }

  #ended(session: Session, error: BrokerError | undefined): void {
    if (this.#arrivals.delete(session)) return this.#events.onArrivalLeft();
    if (error !== undefined) this.#noteDisconnected(session, error);
    this.#sessions.delete(session);
    this.#router.leave(session);
    this.#events.onSessionsChanged();
  }

  #noteDisconnected(session: Session, error: BrokerError): void {
    const { id, client, pid } = session.status(0);
    const told = { id, client, pid, reason: error.kind };
    trace("warn", "session.disconnected", { ...told, message: error.message });
    this.#disconnected.push({ told, at: monotonicMs() });
    if (this.#disconnected.length > DISCONNECTED_KEPT) this.#disconnected.shift();
  }
}
