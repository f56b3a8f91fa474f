import { limitMsOf } from "../app-server/method-table.ts";
import { BrokerError } from "../base/errors.ts";
import { monotonicMs } from "../base/deadline.ts";
import type { OlderTurn } from "../lifecycle/older-brokers.ts";
import type { BrokerCapacity } from "../lifecycle/start-protocol.ts";
import type { Draining, Queued, TurnStatusEntry } from "../wire/broker-protocol.ts";
import {
  withId,
  withParams,
  type AnswerFrame,
  type NotificationFrame,
  type RequestFrame,
} from "../wire/frame.ts";
import { errorLine, isRecord, notificationLine, resultLine, toRpcError } from "../wire/messages.ts";
import {
  noNewWork,
  opensThread,
  refusalOf,
  startsTurn,
  threadBusy,
  threadNotFound,
} from "./admission.ts";
import { askQuietly, type Ask } from "./ask.ts";
import { startsProcess, threadInResult, threadOfNotification, threadParam } from "./frame-facts.ts";
import { Greetings } from "./greetings.ts";
import { OpenHandles, ownerOfHandle, withUpstreamHandles } from "./handles.ts";
import { Hearing } from "./hearing.ts";
import { askOlderTurn, reachesIntoTurn } from "./older-turn.ts";
import type { Peer } from "./peer.ts";
import { Reconciliation } from "./reconciliation.ts";
import { ServerRequests, threadOf } from "./server-requests.ts";
import { ThreadQueue } from "./thread-queue.ts";
import type { Threads } from "./threads.ts";
import { TurnBook } from "./turn-book.ts";
import { turnLost } from "./turn-endings.ts";
import { withActiveId } from "./turn-names.ts";
import { statusOf } from "./turn-status.ts";
import type { Turn } from "./turns.ts";
import { UnsavedThreads } from "./unsaved-threads.ts";
import { unusedThreads } from "./unused-threads.ts";
import { Upstream, type Outcome } from "./upstream.ts";
import { takeBusyWish, type BusyWish } from "./when-busy.ts";
import { isHeldElsewhere, WriterPatience, WriterWaits } from "./writer-waits.ts";

const RELEASE_LIMIT_MS = 5_000;

const UPKEEP_EVERY_MS = 30_000;
const SILENT_AFTER_MS = 30_000;
/** After these a thread is loaded no more. */
const CLOSINGS = new Set(["thread/closed", "thread/deleted"]);
/** Run in a directory that defaults to the app-server's own, which is no one's workspace. */
const NEED_CWD = new Set(["thread/start", "command/exec", "process/spawn"]);

export interface RouterOptions {
  readonly workspace: string;
  /** How long those who were asked may take to answer. */
  readonly answerTimeoutMs: number;
  readonly capacity: BrokerCapacity;
  /** Finds the turn of a thread that has none here, in the brokers that this one has superseded. */
  readonly findOlderTurn: (threadId: string) => Promise<OlderTurn | undefined>;
  /** Called when a turn has begun or ended. */
  readonly onTurnsChanged: () => void;
  /** Called with everything that the app-server says of a thread. */
  readonly onThreadEvent: (frame: NotificationFrame, threadId: string) => void;
  /** Called for a turn whose end nobody will hear of. */
  readonly onTurnLost: () => void;
  /** Called for a turn that goes on though it was interrupted: only with the app-server it ends. */
  readonly onTurnStuck: (threadId: string) => void;
  /** Called when a turn has started a process of its own. */
  readonly onCommandStarted: () => void;
  /** Called when the app-server owes an answer again. */
  readonly onWork: () => void;
  /** Called when the app-server owes no answer any more. */
  readonly onAllAnswered: () => void;
  /** Called when the app-server is so silent that its health is to be looked at. */
  readonly onSilence: () => void;
}

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
    onEnd: (threadId) => this.#turnEnded(threadId),
    onEndFound: (threadId, frame) => {
      this.#options.onThreadEvent(frame, threadId);
      this.#hearing.tell(threadId, frame);
    },
    onLost: (turn, cause) => this.#tellLost(turn, cause),
    onStuck: (threadId) => this.#options.onTurnStuck(threadId),
  });
  readonly #unsaved = new UnsavedThreads();
  readonly #reconciliation = new Reconciliation({
    ask: this.#ask,
    known: () => this.#threads.all(),
    isOpening: () => this.#opening > 0,
    onVanished: (threadId) => void this.#vanished(threadId),
    onStray: (threadId) => {
      if (!this.#threads.knows(threadId)) this.#unsubscribe(threadId);
    },
  });
  readonly #upkeep: NodeJS.Timeout;
  /** Requests on their way whose answer names a thread that is loaded. */
  #opening = 0;
  readonly #writers: WriterWaits;
  readonly #handles = new OpenHandles();
  readonly #questions: ServerRequests;
  readonly #greetings = new Greetings();
  /** Whose answers are on their way to nobody. */
  readonly #gone = new WeakSet<Peer>();
  #draining: Draining | undefined;

  constructor(options: RouterOptions) {
    this.#options = options;
    const { maxBacklogBytes, maxHeldEvents, maxQueuedTurns } = options.capacity;
    this.#queue = new ThreadQueue(maxQueuedTurns);
    this.#writers = new WriterWaits(options.findOlderTurn);
    this.#hearing = new Hearing({
      maxBacklogBytes,
      maxHeldEvents,
      hasTurn: (threadId) => this.#turns.get(threadId) !== undefined,
      tellApart: (frame) => this.#tellResolved(frame),
    });
    this.upstream = new Upstream({
      onNotification: (frame) => this.#fromAppServer(frame),
      onServerRequest: (frame) => this.#question(frame),
      onWork: options.onWork,
      onAllAnswered: options.onAllAnswered,
      onSilence: options.onSilence,
    });
    this.#upkeep = setInterval(() => void this.reconcile(), UPKEEP_EVERY_MS);
    this.#upkeep.unref();
    this.#questions = new ServerRequests(
      (line) => this.upstream.sendLine(line),
      options.answerTimeoutMs,
    );
  }

  /** Looks whether anything was missed. */
  async reconcile(now: number = monotonicMs()): Promise<void> {
    const silent = this.#turns.all().filter((turn) => now - turn.lastEventAt > SILENT_AFTER_MS);
    // One turn may think for long; several that fall silent together are a matter of health.
    if (silent.length > 1) this.#options.onSilence();
    this.#releaseUnused();
    await this.#reconciliation.look();
  }

  get #threads(): Threads<Peer> {
    return this.#hearing.threads;
  }

  get threadCount(): number {
    return this.#threads.size;
  }

  get turnCount(): number {
    return this.#turns.size;
  }

  /** The turns that a broker waits for before it ends. */
  get awaitedTurnCount(): number {
    return this.#turns.all().filter(({ givenUp }) => !givenUp).length;
  }

  threadsOf(peer: Peer): number {
    return this.#threads.subscribedTo(peer).length;
  }

  turns(): TurnStatusEntry[] {
    return this.#turns.all().map(statusOf);
  }

  /** The session may send and hear from now on. */
  join(peer: Peer): void {
    this.#peers.set(peer.id, peer);
    for (const frame of this.#greetings.all()) peer.deliver(frame);
    if (this.#draining !== undefined) {
      peer.send(notificationLine("broker/draining", this.#draining));
    }
  }

  /** The session has gone: what it had waiting, running and open is ended, and nothing of others' is. */
  leave(peer: Peer): void {
    // It may have sent requests and not have joined yet.
    this.#peers.delete(peer.id);
    this.#gone.add(peer);
    this.#queue.leave(peer);
    this.upstream.withdraw(peer);
    this.#questions.left(peer);
    for (const handle of this.#handles.leave(peer)) {
      askQuietly(this.#ask, handle.method, handle.params, RELEASE_LIMIT_MS);
    }
    const left = this.#turns
      .all()
      .filter(
        ({ threadId }) =>
          this.#ownerOf(threadId) === peer || this.#threads.audience(threadId).has(peer),
      );
    for (const threadId of this.#threads.subscribedTo(peer)) {
      this.#threads.unsubscribe(threadId, peer);
    }
    for (const turn of left) {
      if (turn.owner === peer) turn.owner = undefined;
    }
    // One that others hear goes on for them.
    for (const turn of left.filter(({ threadId }) => this.#isAbandoned(threadId))) {
      this.#turns.abandon(turn);
    }
    this.#releaseUnused();
  }

  /** The session hears a thread that is loaded here: first what was told of its turn, then the rest. */
  attach(peer: Peer, threadId: string): void {
    this.#hearing.join(peer, threadId)();
    this.#questions.joined(peer, (each) => this.#hearing.hears(peer, each));
  }

  request(peer: Peer, original: RequestFrame): void {
    const taken = takeBusyWish(original);
    if (BrokerError.is(taken)) return refuse(peer, original, taken);
    this.#request(peer, taken.frame, taken.wish);
  }

  /** @returns how many requests of this session have left the queue. */
  unqueue(peer: Peer, threadId: string, ticket: string | undefined): number {
    return this.#queue.withdraw(peer, threadId, ticket);
  }

  notification(frame: NotificationFrame): void {
    if (frame.method !== "initialized") this.upstream.sendLine(frame.text);
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
    this.#writers.refuse(noNewWork(draining));
    // Superseded before its app-server had started: what waits for it is asked again elsewhere.
    if (draining.reconnect && !this.upstream.isOpen) this.upstream.close(noNewWork(draining));
    this.#releaseUnused();
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
    const refusal = refusalOf(frame, {
      draining: this.#draining,
      experimentalApi: peer.experimentalApi,
      waiting: this.upstream.waitingOf(peer),
      threads: this.#threads.size + this.#opening,
      capacity: this.#options.capacity,
      knowsThread: (threadId) => this.#threads.knows(threadId),
    });
    if (refusal !== undefined) return refuse(peer, frame, refusal);
    if (frame.method === "thread/unsubscribe" && this.#leaveThread(peer, frame)) return;
    const forward = (): void => this.#forward(peer, this.#adapted(peer, frame), frame, wish);
    const threadId = threadParam(frame);
    if (threadId === undefined) return forward();
    const running = this.#turns.get(threadId);
    if (running === undefined) {
      if (!reachesIntoTurn(frame)) return forward();
      return void this.#reachOlderTurn(peer, frame, threadId, forward);
    }
    if (frame.method === "turn/interrupt") {
      return this.#turns.interrupt(running, () => {
        this.#forward(peer, withActiveId(frame, running), frame, wish);
      });
    }
    if (!startsTurn(frame)) return forward();
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

  async #reachOlderTurn(
    peer: Peer,
    frame: RequestFrame,
    threadId: string,
    elsewise: () => void,
  ): Promise<void> {
    const older = await this.#options.findOlderTurn(threadId);
    if (older === undefined) return elsewise();
    peer.send(await askOlderTurn(older, frame));
  }

  #tellPosition(peer: Peer, threadId: string, ticket: string | null, position: number): void {
    const running = this.#turns.get(threadId);
    const turn = running === undefined ? null : statusOf(running);
    const queued: Queued = { threadId, ticket, position, turn };
    peer.send(notificationLine("broker/queued", queued));
  }

  /** The request as it goes upstream: handles under the session's name, and a directory where one is needed. */
  #adapted(peer: Peer, frame: RequestFrame): RequestFrame {
    const named = withUpstreamHandles(frame, peer);
    if (!NEED_CWD.has(named.method) || !isRecord(named.params)) return named;
    const cwd = named.params["cwd"];
    if (cwd !== undefined && cwd !== null) return named;
    return withParams(named, { ...named.params, cwd: this.#options.workspace });
  }

  #forward(peer: Peer, frame: RequestFrame, original: RequestFrame, wish: BusyWish): void {
    const threadId = threadParam(frame);
    const begun =
      startsTurn(frame) && threadId !== undefined ? this.#beginTurn(threadId, peer) : undefined;
    this.#handles.note(peer, frame);
    const request = {
      owner: peer,
      method: frame.method,
      limitMs: limitMsOf(frame.method),
      urgent: frame.method === "turn/interrupt",
    };
    const forward = (): void => this.upstream.forward(request, frame, settle);
    const opens = opensThread(frame);
    if (opens) this.#opening += 1;
    const patience = new WriterPatience(wish.waitMs);
    const giveUp = (why: BrokerError): void => {
      this.#opening -= 1;
      refuse(peer, original, why);
    };
    const settle = (outcome: Outcome): void => {
      if (threadId !== undefined && isHeldElsewhere(frame, outcome) && !this.#gone.has(peer)) {
        return void this.#writers.wait(threadId, patience, { again: forward, giveUp });
      }
      if (opens) this.#opening -= 1;
      const failed = BrokerError.is(outcome) || outcome.error !== undefined;
      if (begun !== undefined) this.#turns.answered(begun, outcome);
      this.#handles.answered(peer, frame, failed);
      if (BrokerError.is(outcome)) return refuse(peer, original, outcome);
      const catchUp = failed ? undefined : this.#hears(peer, frame, outcome);
      peer.send(withId(outcome, original.id));
      if (catchUp === undefined) return;
      catchUp();
      this.#questions.joined(peer, (each) => this.#hearing.hears(peer, each));
    };
    forward();
  }

  /** @returns what is to be told after an answer since which the session hears a thread. */
  #hears(peer: Peer, frame: RequestFrame, answer: AnswerFrame): (() => void) | undefined {
    const threadId = opensThread(frame) ? threadInResult(answer.result) : undefined;
    if (threadId === undefined) return undefined;
    this.#unsaved.opened(frame.method, answer.result);
    const catchUp = this.#hearing.join(peer, threadId);
    if (!this.#gone.has(peer)) return catchUp;
    // The session went while this was on its way, and nobody hears the thread.
    this.#threads.unsubscribe(threadId, peer);
    this.#releaseUnused([threadId]);
    return undefined;
  }

  /** Leaving a thread that others hear concerns only this session. @returns whether it was answered. */
  #leaveThread(peer: Peer, frame: RequestFrame): boolean {
    const threadId = threadParam(frame);
    if (threadId === undefined || !this.#threads.knows(threadId)) return false;
    const subscribed = this.#threads.unsubscribe(threadId, peer);
    this.#questions.left(peer, (each) => this.#mayAnswer(each).has(peer));
    const status = subscribed ? "unsubscribed" : "notSubscribed";
    peer.send(resultLine(frame.id, { status }));
    this.#releaseUnused([threadId]);
    return true;
  }

  #beginTurn(threadId: string, peer: Peer): Turn<Peer> {
    this.#hearing.join(peer, threadId)();
    return this.#turns.begin(threadId, peer);
  }

  #turnEnded(threadId: string): void {
    this.#hearing.turnEnded(threadId);
    this.#queue.beginNext(threadId);
    this.#releaseUnused([threadId]);
  }

  #tellLost(turn: Turn<Peer>, cause: BrokerError): void {
    if (turn.begun) this.#options.onTurnLost();
    const lost = turnLost(turn, cause, this.#unsaved.has(turn.threadId));
    const line = notificationLine("broker/turnLost", lost);
    for (const peer of this.#threads.audience(turn.threadId)) peer.send(line);
  }

  #isAbandoned(threadId: string): boolean {
    return this.#ownerOf(threadId) === undefined && this.#threads.audience(threadId).size === 0;
  }

  /**
   * Lets the app-server unload what nobody hears and no turn uses, with its MCP servers; while the
   * broker drains also what is only heard, so that a successor can take it up. Sub-agents' threads
   * go with the thread they work for.
   *
   * @param from the threads about which something has changed. Default: all.
   */
  #releaseUnused(from: Iterable<string> = this.#threads.all()): void {
    const unused = unusedThreads(this.#threads, from, {
      hasTurn: (threadId) => this.#turns.get(threadId) !== undefined,
      hearingCounts: this.#draining === undefined,
    });
    for (const threadId of unused) {
      this.#forget(threadId);
      this.#unsubscribe(threadId);
    }
  }

  #unsubscribe(threadId: string): void {
    askQuietly(this.#ask, "thread/unsubscribe", { threadId }, RELEASE_LIMIT_MS);
  }

  /** The app-server has let go of the thread, and nobody was told. */
  async #vanished(threadId: string): Promise<void> {
    this.#queue.refuse(threadNotFound(threadId), threadId);
    await this.#turns.vanished(threadId);
    this.#closed(threadId);
  }

  #closed(threadId: string): void {
    this.#queue.refuse(threadNotFound(threadId), threadId);
    const family = this.#threads.family(threadId);
    this.#turns.end(threadId);
    this.#forget(threadId);
    this.#releaseUnused(family);
  }

  #question(frame: RequestFrame): void {
    const threadId = threadOf(frame);
    if (threadId === undefined) return this.#questions.ask(frame, []);
    this.#turns.touch(threadId);
    this.#questions.ask(frame, this.#mayAnswer(threadId));
  }

  /** Whoever runs the thread's turn, and all who hear it. */
  #mayAnswer(threadId: string): ReadonlySet<Peer> {
    const owner = this.#ownerOf(threadId);
    const audience = this.#threads.audience(threadId);
    return owner === undefined ? audience : new Set([owner, ...audience]);
  }

  /** Who started the thread's turn; a sub-agent works for whoever started the turn that it serves. */
  #ownerOf(threadId: string): Peer | undefined {
    const owner = this.#turns.get(threadId)?.owner;
    const parent = this.#threads.parentOf(threadId);
    return owner ?? (parent === undefined ? undefined : this.#ownerOf(parent));
  }

  #fromAppServer(frame: NotificationFrame): void {
    const owned = ownerOfHandle(frame);
    if (owned !== undefined) return this.#peers.get(owned.session)?.deliver(owned.frame);
    const threadId = threadOfNotification(frame);
    if (threadId === undefined) return this.#global(frame);
    if (this.#turns.wasTold(threadId, frame)) return;
    this.#observe(frame, threadId);
    const served = this.#turns.servedBy(threadId, frame);
    for (const each of this.#hearing.tell(threadId, frame, served)) this.#askParents(each);
    this.#turns.told(threadId, frame);
    if (CLOSINGS.has(frame.method)) this.#closed(threadId);
  }

  /** What a sub-agent has asked before anybody knew whom it works for. */
  #askParents(threadId: string): void {
    for (const peer of this.#mayAnswer(threadId)) {
      this.#questions.joined(peer, (each) => each === threadId);
    }
  }

  #tellResolved(frame: NotificationFrame): boolean {
    if (frame.method !== "serverRequest/resolved") return false;
    for (const told of this.#questions.resolved(frame)) told.to.deliver(told.frame);
    return true;
  }

  #global(frame: NotificationFrame): void {
    this.#greetings.note(frame);
    for (const peer of this.#peers.values()) peer.deliver(frame);
  }

  /** What the event says of turns, taken down before it is told, so that a reply finds it known. */
  #observe(frame: NotificationFrame, threadId: string): void {
    this.#unsaved.heard(threadId, frame);
    this.#options.onThreadEvent(frame, threadId);
    if (startsProcess(frame)) this.#options.onCommandStarted();
    this.#turns.heard(threadId, frame);
  }

  #forget(threadId: string): void {
    this.#threads.forget(threadId);
    this.#turns.forget(threadId);
    this.#unsaved.forget(threadId);
  }
}

function refuse(peer: Peer, { id }: RequestFrame, error: BrokerError): void {
  peer.send(errorLine(id, toRpcError(error)));
}
