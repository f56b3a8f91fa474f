import { BrokerError } from "../base/errors.ts";
import { monotonicMs } from "../base/deadline.ts";
import type { Draining, Queued, TurnStatusEntry } from "../wire/broker-protocol.ts";
import type { AnswerFrame, NotificationFrame, RequestFrame } from "../wire/frame.ts";
import { notificationLine } from "../wire/messages.ts";
import { closesThread } from "../wire/thread-ends.ts";
import {
  noNewWork,
  refusalOf,
  restoresSettings,
  startsTurn,
  threadBusy,
  threadNotFound,
} from "./admission.ts";
import type { Ask } from "./ask.ts";
import { concernedWith } from "./concerned.ts";
import { Forwarding } from "./forwarding.ts";
import { startsProcess, threadOfNotification, threadParam } from "./frame-facts.ts";
import { GlobalNews } from "./global-news.ts";
import { ownerOfHandle } from "./handles.ts";
import { Hearing } from "./hearing.ts";
import { leaveThread, type Subscriptions } from "./leave-thread.ts";
import { LoadedThreads } from "./loaded-threads.ts";
import { reachesIntoTurn, reachOlderTurn } from "./older-turn.ts";
import type { Peer } from "./peer.ts";
import { refuse } from "./refuse.ts";
import type { RouterOptions } from "./router-options.ts";
import { ServerRequests, threadOf } from "./server-requests.ts";
import { ThreadQueue } from "./thread-queue.ts";
import type { Threads } from "./threads.ts";
import { TurnBook } from "./turn-book.ts";
import { threadClosed, turnLost } from "./turn-endings.ts";
import { withActiveId } from "./turn-names.ts";
import { statusOf } from "./turn-status.ts";
import type { Turn } from "./turns.ts";
import { Upstream, type Outcome } from "./upstream.ts";
import { takeBusyWish, type BusyWish } from "./when-busy.ts";

const UPKEEP_EVERY_MS = 30_000;
const SILENT_AFTER_MS = 30_000;

/**
 * Between the sessions and the one app-server: each message goes by its request id, else by its
 * handle, else by its thread, else to everyone. There is no "current" session.
 */
export class Router {
  readonly upstream: Upstream;
  readonly #options: RouterOptions;
  readonly #peers = new Map<number, Peer>();
  readonly #hearing: Hearing;
  readonly #queue: ThreadQueue<Peer>;
  readonly #ask: Ask = (method, params, limitMs) => this.upstream.request(method, params, limitMs);
  readonly #turns = new TurnBook<Peer>({
    ask: this.#ask,
    onChange: () => this.#options.onTurnsChanged(),
    onEnd: (threadId, isFree) => this.#turnEnded(threadId, isFree),
    onNext: (turn) => {
      if (this.#concerned(turn.threadId).size === 0) this.#turns.abandon(turn);
    },
    onEndFound: (threadId, frame) => {
      this.#options.onThreadEvent(frame, threadId);
      this.#hearing.tell(threadId, frame);
    },
    onLost: (turn, cause) => this.#tellLost(turn, cause),
    onStuck: (threadId) => this.#options.onTurnStuck(threadId),
  });
  readonly #upkeep: NodeJS.Timeout;
  readonly #loaded: LoadedThreads<Peer>;
  readonly #forwarding: Forwarding;
  readonly #questions: ServerRequests;
  readonly #globalNews = new GlobalNews();
  #draining: Draining | undefined;

  constructor(options: RouterOptions) {
    this.#options = options;
    const { maxBacklogBytes, maxHeldEvents, maxQueuedTurns } = options.capacity;
    this.#queue = new ThreadQueue(maxQueuedTurns);
    this.#hearing = new Hearing({
      maxBacklogBytes,
      maxHeldEvents,
      hasTurn: (threadId) => this.#turns.get(threadId) !== undefined,
      mayBeOpening: (threadId) => this.#mayBeOpening(threadId),
      isDraining: () => this.#draining !== undefined,
      everyone: () => this.#peers.values(),
      servedBy: (threadId, frame) => this.#turns.servedBy(threadId, frame),
      onAdopted: (threadId) => this.#askParents(threadId),
      tellApart: (frame) => this.#questions.tellResolved(frame),
    });
    this.upstream = new Upstream({
      onNotification: (frame) => this.#fromAppServer(frame),
      onServerRequest: (frame) => this.#question(frame),
      onWork: options.onWork,
      onAllAnswered: options.onAllAnswered,
      onSilence: options.onSilence,
    });
    this.#loaded = new LoadedThreads({
      threads: this.#threads,
      turns: this.#turns,
      ask: this.#ask,
      onGone: (threadId) => this.#queue.refuse(threadNotFound(threadId), threadId),
      onOpenEnded: () => this.#hearing.openingEnded(),
      tellClosed: (threadId) => this.#hearing.tell(threadId, threadClosed(threadId)),
    });
    this.#forwarding = new Forwarding(this.upstream, this.#ask, {
      workspace: options.workspace,
      writers: options,
      onTurn: (peer, threadId) => this.#beginTurn(peer, threadId),
      opens: this.#loaded,
      onOpened: (peer, threadId, method, result) => {
        this.#loaded.opened(method, result);
        return this.#joinThread(peer, threadId);
      },
      onOpenedInVain: (peer, threadId) => void this.#threads.unsubscribe(threadId, peer),
    });
    this.#upkeep = setInterval(() => void this.reconcile(), UPKEEP_EVERY_MS);
    this.#upkeep.unref();
    this.#questions = new ServerRequests(
      (line) => this.upstream.sendLine(line),
      options.answerTimeoutMs,
      (threadId, { method, params }) => {
        const line = notificationLine("broker/declined", { threadId, method, params });
        for (const peer of this.#concerned(threadId ?? "")) peer.send(line);
      },
    );
  }

  get #subscriptions(): Subscriptions<Peer> {
    return {
      threads: this.#threads,
      loaded: this.#loaded,
      mayBeOpening: (threadId) => this.#mayBeOpening(threadId),
      onLeft: (peer) => {
        this.#questions.left(peer, (each) => this.#concerned(each).has(peer));
        // A broker that drains may have waited for its turn.
        this.#options.onTurnsChanged();
      },
    };
  }

  /** Looks whether anything was missed. */
  async reconcile(now: number = monotonicMs()): Promise<void> {
    const silent = this.#turns.all().filter((turn) => now - turn.lastEventAt > SILENT_AFTER_MS);
    // One turn may think for long; several that fall silent together are a matter of health.
    if (silent.length > 1) this.#options.onSilence();
    await this.#loaded.look();
  }

  get #threads(): Threads<Peer> {
    return this.#hearing.threads;
  }

  /** Whether the app-server has been asked to open a thread and has not responded yet. */
  get opensThread(): boolean {
    return this.#loaded.opening > 0;
  }

  get threadCount(): number {
    return this.#threads.size;
  }

  get turnCount(): number {
    return this.#turns.size;
  }

  /** The turns that a broker waits for before it ends: those with a subscriber. A job is one. */
  get awaitedTurnCount(): number {
    const isAwaited = ({ givenUp, threadId }: Turn<Peer>): boolean =>
      !givenUp && this.#threads.audience(threadId).size > 0;
    return this.#turns.all().filter(isAwaited).length;
  }

  /** The turns that end when they are interrupted. */
  get endableTurnCount(): number {
    return this.#turns.all().filter(({ givenUp }) => !givenUp).length;
  }

  threadsOf(peer: Peer): number {
    return this.#threads.subscribedTo(peer).length;
  }

  turns(): TurnStatusEntry[] {
    return this.#turns.all().map((turn) => {
      const questions = this.#questions.openIn(turn.threadId);
      return questions.length === 0 ? statusOf(turn) : { ...statusOf(turn), questions };
    });
  }

  /** The session may send and hear from now on. */
  join(peer: Peer): void {
    this.#peers.set(peer.id, peer);
    this.#globalNews.greet(peer);
    if (this.#draining !== undefined) {
      peer.send(notificationLine("broker/draining", this.#draining));
    }
  }

  /** The session has gone: what it had waiting, running and open is ended, and nothing of others' is. */
  leave(peer: Peer): void {
    // It may have sent requests and not have joined yet.
    this.#peers.delete(peer.id);
    this.#queue.leave(peer);
    this.#forwarding.leave(peer);
    this.#questions.left(peer);
    const left = this.#turns.all().filter(({ threadId }) => this.#concerned(threadId).has(peer));
    for (const threadId of this.#threads.subscribedTo(peer)) {
      this.#threads.unsubscribe(threadId, peer);
    }
    for (const turn of left) {
      if (turn.owner === peer) turn.owner = undefined;
    }
    // One that others hear goes on for them.
    for (const turn of left) {
      if (this.#concerned(turn.threadId).size === 0) this.#turns.abandon(turn);
    }
    this.#loaded.release();
  }

  /** The session hears a thread that is loaded here: first what was told of its turn, then the rest. */
  attach(peer: Peer, threadId: string): void {
    this.#joinThread(peer, threadId)();
  }

  request(peer: Peer, original: RequestFrame): void {
    const taken = takeBusyWish(original, peer.whenBusy);
    if (BrokerError.is(taken)) return refuse(peer, original, taken);
    this.#request(peer, taken.frame, taken.wish);
  }

  /** @returns how many requests of this session have left the queue. */
  unqueue(peer: Peer, threadId: string, ticket: string | undefined): number {
    return this.#queue.withdraw(peer, threadId, ticket);
  }

  notification(peer: Peer, frame: NotificationFrame): void {
    if (frame.method !== "initialized") this.#forwarding.notify(peer, frame);
  }

  answer(peer: Peer, frame: AnswerFrame): void {
    this.#questions.answer(peer, frame);
  }

  /** No new work from now on; everyone is told. Running turns, reads and interrupts go on. */
  drain(draining: Draining): void {
    this.#draining = draining;
    for (const peer of this.#peers.values()) {
      peer.send(notificationLine("broker/draining", draining));
    }
    this.#queue.refuse(noNewWork(draining));
    this.#forwarding.refuseWaiting(noNewWork(draining));
    // Superseded before its app-server had started: what waits for it is asked again elsewhere.
    if (draining.reconnect && !this.upstream.isOpen) this.upstream.close(noNewWork(draining));
    this.#loaded.releaseHeard();
  }

  interruptAll(): void {
    for (const turn of this.#turns.all()) this.#turns.abandon(turn);
  }

  /** The app-server has gone: every turn gets its terminal event, every waiting request its answer. */
  lose(cause: BrokerError): void {
    this.#hearing.clear();
    this.#questions.clear();
    this.#queue.refuse(cause);
    clearInterval(this.#upkeep);
    this.#turns.lose(cause);
    this.upstream.close(cause);
  }

  #request(peer: Peer, frame: RequestFrame, wish: BusyWish): void {
    const threadId = threadParam(frame);
    const running = threadId === undefined ? undefined : this.#turns.get(threadId);
    const steers = wish.steers && running !== undefined && this.#mayAddTo(running, peer, frame);
    const refusal = refusalOf(frame, {
      // It adds to work that goes on here, and begins none.
      draining: steers ? undefined : this.#draining,
      experimentalApi: peer.experimentalApi || restoresSettings(peer, frame),
      waiting: this.upstream.waitingOf(peer),
      threads: this.#threads.size + this.#loaded.opening,
      capacity: this.#options.capacity,
      knowsThread: (threadId) => this.#loaded.isOpen(threadId),
    });
    if (refusal !== undefined) return refuse(peer, frame, refusal);
    const forward = (): void => this.#forwarding.forward(peer, frame, wish.waitMs);
    if (threadId === undefined) return forward();
    if (frame.method === "thread/unsubscribe") {
      return leaveThread(peer, { id: frame.id, threadId }, this.#subscriptions);
    }
    if (running === undefined) {
      if (!reachesIntoTurn(frame)) return forward();
      return void reachOlderTurn(peer, frame, this.#options.findOlderTurn(threadId), forward);
    }
    if (frame.method === "turn/interrupt") {
      return this.#turns.interrupt(running, () => {
        this.#forwarding.forward(peer, withActiveId(frame, running), wish.waitMs);
      });
    }
    if (steers || !startsTurn(frame)) return forward();
    if (wish.waitMs === undefined) {
      const queued = this.#queue.lengthOf(threadId);
      return refuse(peer, frame, threadBusy(statusOf(running), running.owner === peer, queued));
    }
    this.#queue.add(
      threadId,
      {
        session: peer,
        ticket: wish.ticket,
        begin: forward,
        refuse: (error) => refuse(peer, frame, error),
        onPosition: (position) => this.#tellPosition(peer, threadId, wish.ticket, position),
      },
      wish.waitMs,
    );
  }

  #tellPosition(peer: Peer, threadId: string, ticket: string | null, position: number): void {
    const running = this.#turns.get(threadId);
    const turn = running === undefined ? null : statusOf(running);
    const queued: Queued = { threadId, ticket, position, turn };
    peer.send(notificationLine("broker/queued", queued));
  }

  /**
   * The session hears the thread from now on.
   *
   * @returns what tells it what it has missed, and shows it what is still asked there.
   */
  #joinThread(peer: Peer, threadId: string): () => void {
    const catchUp = this.#hearing.join(peer, threadId);
    return () => {
      catchUp();
      this.#questions.joined(peer, (each) => this.#hearing.hears(peer, each));
    };
  }

  /** @returns what is to hear of the answer. */
  #beginTurn(peer: Peer, threadId: string): (outcome: Outcome) => void {
    this.#hearing.join(peer, threadId)();
    const running = this.#turns.get(threadId);
    if (running !== undefined) return this.#turns.steer(running);
    const turn = this.#turns.begin(threadId, peer);
    return (outcome) => this.#turns.answered(turn, outcome);
  }

  /** A turn that the session has started, or that nobody has and that nobody else follows. */
  #mayAddTo(running: Turn<Peer>, peer: Peer, { method }: RequestFrame): boolean {
    if (method !== "turn/start") return false;
    if (running.owner !== undefined) return running.owner === peer;
    return [...this.#concerned(running.threadId)].every((each) => each === peer);
  }

  #turnEnded(threadId: string, isFree: boolean): void {
    this.#hearing.turnEnded(threadId);
    this.#hearing.openingEnded();
    if (!isFree) return;
    this.#queue.beginNext(threadId);
    this.#loaded.release([threadId]);
  }

  #tellLost(turn: Turn<Peer>, cause: BrokerError): void {
    if (turn.begun) this.#options.onTurnLost();
    const lost = turnLost(turn, cause, this.#loaded.isUnsaved(turn.threadId));
    const line = notificationLine("broker/turnLost", lost);
    for (const peer of this.#threads.audience(turn.threadId)) peer.send(line);
  }

  /** A sub-agent's thread is opened by the turn that it works for. */
  #mayBeOpening(threadId: string): boolean {
    return this.#turns.size > 0 || this.#loaded.mayBeOpening(threadId);
  }

  #question(frame: RequestFrame): void {
    const threadId = threadOf(frame);
    if (threadId === undefined) return this.#questions.ask(frame, []);
    this.#turns.touch(threadId);
    this.#questions.ask(frame, this.#concerned(threadId));
  }

  #concerned(threadId: string): ReadonlySet<Peer> {
    return concernedWith(threadId, this.#threads, this.#turns);
  }

  #fromAppServer(frame: NotificationFrame): void {
    const owned = ownerOfHandle(frame);
    if (owned !== undefined) return this.#peers.get(owned.session)?.deliver(owned.frame);
    const threadId = threadOfNotification(frame);
    if (threadId === undefined) {
      const inTurn = (): Peer[] =>
        this.#turns.all().flatMap((turn) => [...this.#concerned(turn.threadId)]);
      return this.#globalNews.send(frame, this.#peers, () => new Set(inTurn()));
    }
    if (this.#turns.wasTold(threadId, frame)) return;
    this.#observe(frame, threadId);
    const tell = (): void => this.#hearing.tell(threadId, frame);
    if (closesThread(frame.method)) return this.#loaded.closed(threadId, tell);
    tell();
    this.#turns.told(threadId, frame);
  }

  /** What a sub-agent has asked before anybody knew whom it works for. */
  #askParents(threadId: string): void {
    for (const peer of this.#concerned(threadId)) {
      this.#questions.joined(peer, (each) => each === threadId);
    }
  }

  /** What the event says of turns, taken down before it is told, so that a reply finds it known. */
  #observe(frame: NotificationFrame, threadId: string): void {
    this.#loaded.heard(threadId, frame);
    this.#options.onThreadEvent(frame, threadId);
    if (startsProcess(frame)) this.#options.onCommandStarted();
    this.#turns.heard(threadId, frame);
  }
}
