import { limitMsOf } from "../app-server/method-table.ts";
import { BrokerError } from "../base/errors.ts";
import { monotonicMs } from "../base/deadline.ts";
import { trace } from "../base/trace.ts";
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
import {
  startsProcess,
  threadInResult,
  threadOfNotification,
  threadParam,
  turnInResult,
  rootOfNotification,
  turnOfNotification,
} from "./frame-facts.ts";
import { Greetings } from "./greetings.ts";
import { OpenHandles, ownerOfHandle, withUpstreamHandles } from "./handles.ts";
import { askOlderTurn, reachesIntoTurn, threadHeldElsewhere, WriterWait } from "./elsewhere.ts";
import { InterruptedTurns } from "./interrupted-turns.ts";
import { Hearing } from "./hearing.ts";
import type { Peer } from "./peer.ts";
import { RateLimits } from "./rate-limits.ts";
import { Reconciliation } from "./reconciliation.ts";
import { ServerRequests, threadOf } from "./server-requests.ts";
import { ThreadQueue } from "./thread-queue.ts";
import type { Threads } from "./threads.ts";
import { TurnDoubts, type EndedTurn } from "./turn-doubts.ts";
import { turnCompleted, turnLost } from "./turn-endings.ts";
import { Turns, type Turn } from "./turns.ts";
import { UnsavedThreads } from "./unsaved-threads.ts";
import { Upstream, type Outcome } from "./upstream.ts";
import { takeBusyWish, type BusyWish } from "./when-busy.ts";

/** An interrupt is answered in about 10 ms. */
const INTERRUPT_LIMIT_MS = 5_000;
const RELEASE_LIMIT_MS = 5_000;

const UPKEEP_EVERY_MS = 30_000;
const SILENT_AFTER_MS = 30_000;
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
  readonly #turns = new Turns<Peer>();
  readonly #hearing: Hearing;
  readonly #queue: ThreadQueue<Peer>;
  readonly #doubts = new TurnDoubts<Peer>({
    ask: (method, params, limitMs) => this.upstream.request(method, params, limitMs),
    onOver: (turn, ended) => this.#endWasLost(turn, ended),
  });
  readonly #interrupted = new InterruptedTurns<Peer>({
    again: (turn) => this.#abandon(turn),
    onStuck: (turn) => {
      turn.givenUp = true;
      this.#options.onTurnStuck(turn.threadId);
      this.#options.onTurnsChanged();
    },
  });
  /** The turns whose end was told from Codex's history, by thread: it is not told again. */
  readonly #endTold = new Map<string, string>();
  readonly #unsaved = new UnsavedThreads();
  readonly #reconciliation = new Reconciliation({
    ask: (method, params, limitMs) => this.upstream.request(method, params, limitMs),
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
  /** Nothing of these is outstanding upstream while they wait, and yet they are owed an answer. */
  readonly #waitingForWriter = new Set<(why: BrokerError) => void>();
  readonly #handles = new OpenHandles();
  readonly #questions: ServerRequests;
  readonly #greetings = new Greetings();
  readonly #rateLimits = new RateLimits();
  /** Whose answers are on their way to nobody. */
  readonly #gone = new WeakSet<Peer>();
  #draining: Draining | undefined;

  constructor(options: RouterOptions) {
    this.#options = options;
    const { maxBacklogBytes, maxHeldEvents, maxQueuedTurns } = options.capacity;
    this.#queue = new ThreadQueue(maxQueuedTurns);
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
    const silent = [...this.#turns.all()].filter(
      (turn) => now - turn.lastEventAt > SILENT_AFTER_MS,
    );
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
    return [...this.#turns.all()].filter(({ givenUp }) => !givenUp).length;
  }

  threadsOf(peer: Peer): number {
    return this.#threads.subscribedTo(peer).length;
  }

  turns(): TurnStatusEntry[] {
    return [...this.#turns.all()].map(statusOf);
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
      this.#askQuietly(handle.method, handle.params, RELEASE_LIMIT_MS);
    }
    const left = [...this.#turns.all()].filter(
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
      this.#abandon(turn);
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
    for (const giveUp of this.#waitingForWriter) giveUp(noNewWork(draining));
    // Superseded before its app-server had started: what waits for it is asked again elsewhere.
    if (draining.reconnect && !this.upstream.isOpen) this.upstream.close(noNewWork(draining));
    this.#releaseUnused();
  }

  interruptAll(): void {
    for (const turn of this.#turns.all()) this.#abandon(turn);
  }

  /** The app-server has gone: every turn gets its terminal event, every waiting request its answer. */
  lose(cause: BrokerError): void {
    this.#hearing.clear();
    this.#questions.clear();
    this.#queue.refuse(cause);
    this.#doubts.clear();
    this.#interrupted.clear();
    clearInterval(this.#upkeep);
    for (const turn of this.#turns.all()) this.#tellLost(turn, cause);
    for (const turn of this.#turns.all()) this.#turns.end(turn.threadId);
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
      return this.#onceInterruptible(running, () => {
        this.#interrupted.interrupted(running);
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
    const waiting = new WriterWait(wish.waitMs);
    const settle = (outcome: Outcome): void => {
      if (threadId !== undefined && isHeldElsewhere(frame, outcome) && !this.#gone.has(peer)) {
        return void this.#waitForWriter(peer, original, { threadId, waiting, again: forward });
      }
      if (opens) this.#opening -= 1;
      const failed = BrokerError.is(outcome) || outcome.error !== undefined;
      if (begun !== undefined) this.#turnAnswered(begun, outcome);
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

  /** An idle thread is let go of within a second; one whose turn runs, when that has ended. */
  async #waitForWriter(
    peer: Peer,
    original: RequestFrame,
    wait: { readonly threadId: string; readonly waiting: WriterWait; readonly again: () => void },
  ): Promise<void> {
    const giveUp = (why: BrokerError): void => {
      this.#waitingForWriter.delete(giveUp);
      this.#opening -= 1;
      refuse(peer, original, why);
    };
    if (this.#draining !== undefined) return giveUp(noNewWork(this.#draining));
    this.#waitingForWriter.add(giveUp);
    const older = await this.#options.findOlderTurn(wait.threadId);
    older?.link.connection.close();
    if (!this.#waitingForWriter.has(giveUp)) return;
    const pauseMs = wait.waiting.nextPauseMs(older !== undefined);
    if (pauseMs === undefined) return giveUp(threadHeldElsewhere(wait.threadId, older));
    setTimeout(() => {
      if (this.#waitingForWriter.delete(giveUp)) wait.again();
    }, pauseMs);
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
    const turn = this.#turns.begin(threadId, peer);
    this.#options.onTurnsChanged();
    return turn;
  }

  #turnAnswered(turn: Turn<Peer>, outcome: AnswerFrame | BrokerError): void {
    if (this.#turns.get(turn.threadId) !== turn) return;
    if (BrokerError.is(outcome) || outcome.error !== undefined) {
      // Refused: no turn came of it. One that has an id was seen to start all the same.
      if (turn.id === undefined) this.#endTurn(turn.threadId);
      return;
    }
    turn.id ??= turnInResult(outcome.result);
    this.#doubts.accepted(turn);
  }

  #endTurn(threadId: string): void {
    const turn = this.#turns.end(threadId);
    if (turn === undefined) return;
    this.#doubts.settled(turn);
    this.#interrupted.ended(turn);
    this.#hearing.turnEnded(threadId);
    this.#queue.beginNext(threadId);
    this.#releaseUnused([threadId]);
    this.#options.onTurnsChanged();
  }

  /** Something said that the turn is over, and its terminal event did not come. */
  #endWasLost(turn: Turn<Peer>, ended: EndedTurn | undefined): void {
    const { threadId } = turn;
    if (ended === undefined) {
      this.#tellLost(turn, new BrokerError("turnLost", "Codex does not say how it ended."));
    } else {
      if (turn.id !== undefined) this.#endTold.set(threadId, turn.id);
      const frame = turnCompleted(threadId, ended);
      this.#options.onThreadEvent(frame, threadId);
      this.#hearing.tell(threadId, frame);
    }
    if (this.#turns.get(threadId) === turn) this.#endTurn(threadId);
  }

  #tellLost(turn: Turn<Peer>, cause: BrokerError): void {
    if (turn.begun) this.#options.onTurnLost();
    const lost = turnLost(turn, cause, this.#unsaved.has(turn.threadId));
    const line = notificationLine("broker/turnLost", lost);
    for (const peer of this.#threads.audience(turn.threadId)) peer.send(line);
  }

  /** Whoever asks for an end before the beginning is heard when it has begun, and not refused. */
  #onceInterruptible(turn: Turn<Peer>, interrupt: () => void): void {
    if (turn.begun) return interrupt();
    turn.onceBegun.push(interrupt);
  }

  #isAbandoned(threadId: string): boolean {
    return this.#ownerOf(threadId) === undefined && this.#threads.audience(threadId).size === 0;
  }

  #abandon(turn: Turn<Peer>): void {
    this.#onceInterruptible(turn, () => {
      this.#interrupted.interrupted(turn);
      const turnId = turn.activeId ?? turn.id;
      const params = { threadId: turn.threadId, turnId };
      if (turnId !== undefined) this.#askQuietly("turn/interrupt", params, INTERRUPT_LIMIT_MS);
    });
  }

  /**
   * Lets the app-server unload what nobody hears and no turn uses, with its MCP servers; while the
   * broker drains also what is only heard, so that a successor can take it up. Sub-agents' threads
   * go with the thread they work for.
   *
   * @param from the threads about which something has changed. Default: all.
   */
  #releaseUnused(from: Iterable<string> = this.#threads.all()): void {
    const evenHeard = this.#draining !== undefined;
    const seen = new Set<string>();
    for (const threadId of from) {
      const root = this.#threads.rootOf(threadId);
      if (seen.has(root)) continue;
      seen.add(root);
      const family = this.#threads.family(root);
      if (family.some((each) => this.#turns.get(each) !== undefined)) continue;
      for (const each of family.filter((one) => this.#threads.knows(one))) {
        if (!evenHeard && this.#threads.audience(each).size > 0) continue;
        this.#forget(each);
        this.#unsubscribe(each);
      }
    }
  }

  #unsubscribe(threadId: string): void {
    this.#askQuietly("thread/unsubscribe", { threadId }, RELEASE_LIMIT_MS);
  }

  /** The app-server has let go of the thread, and nobody was told. */
  async #vanished(threadId: string): Promise<void> {
    this.#queue.refuse(threadNotFound(threadId), threadId);
    const turn = this.#turns.get(threadId);
    if (turn !== undefined) await this.#doubts.overtaken(turn);
    this.#closed(threadId);
  }

  #closed(threadId: string): void {
    this.#queue.refuse(threadNotFound(threadId), threadId);
    const family = this.#threads.family(threadId);
    this.#endTurn(threadId);
    this.#forget(threadId);
    this.#releaseUnused(family);
  }

  /** A request whose answer nobody waits for. */
  #askQuietly(method: string, params: unknown, limitMs: number): void {
    this.upstream.request(method, params, limitMs).catch((error: unknown) => {
      trace("info", "router.unanswered", { method, params, error: String(error) });
    });
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
    if (frame.method === "turn/completed" && this.#wasTold(frame, threadId)) return;
    this.#observe(frame, threadId);
    const adopted = this.#hearing.tell(threadId, frame, this.#servedBy(frame, threadId));
    for (const each of adopted) this.#askParents(each);
    this.#afterwards(frame, threadId);
  }

  /** The thread whose running turn the one that starts here works for. */
  #servedBy(frame: NotificationFrame, threadId: string): string | undefined {
    if (frame.method !== "turn/started") return undefined;
    const rootId = rootOfNotification(frame);
    if (rootId === undefined) return undefined;
    const root = [...this.#turns.all()].find(({ id }) => id === rootId);
    return root?.threadId === threadId ? undefined : root?.threadId;
  }

  /** What a sub-agent has asked before anybody knew whom it works for. */
  #askParents(threadId: string): void {
    for (const peer of this.#mayAnswer(threadId)) {
      this.#questions.joined(peer, (each) => each === threadId);
    }
  }

  #wasTold(frame: NotificationFrame, threadId: string): boolean {
    return this.#endTold.get(threadId) === turnOfNotification(frame);
  }

  #tellResolved(frame: NotificationFrame): boolean {
    if (frame.method !== "serverRequest/resolved") return false;
    for (const told of this.#questions.resolved(frame)) told.to.deliver(told.frame);
    return true;
  }

  #global(frame: NotificationFrame): void {
    this.#greetings.note(frame);
    const spared = this.#rateLimits.spared(frame, this.#peers.values());
    const concerned = spared.size > 0 ? this.#hearersOfTurns() : spared;
    for (const peer of this.#peers.values()) {
      if (!spared.has(peer) || concerned.has(peer)) peer.deliver(frame);
    }
  }

  #hearersOfTurns(): ReadonlySet<Peer> {
    const running = [...this.#turns.all()];
    return new Set(running.flatMap(({ threadId }) => [...this.#mayAnswer(threadId)]));
  }

  /** What the event says of turns, taken down before it is told, so that a reply finds it known. */
  #observe(frame: NotificationFrame, threadId: string): void {
    this.#turns.touch(threadId);
    this.#unsaved.heard(threadId, frame);
    this.#options.onThreadEvent(frame, threadId);
    if (startsProcess(frame)) this.#options.onCommandStarted();
    if (frame.method === "turn/started") this.#turnStarted(threadId, frame);
    const turn = this.#turns.get(threadId);
    if (turn !== undefined) this.#doubts.heard(turn, frame);
  }

  #turnStarted(threadId: string, frame: NotificationFrame): void {
    const [turnId, rootId] = [turnOfNotification(frame), rootOfNotification(frame)];
    const running = this.#turns.get(threadId);
    // One turn at a time runs on a thread: the end of the one before was lost.
    if (running !== undefined && isAnother(running, turnId) && running.id !== rootId) {
      this.#turns.end(threadId);
      this.#interrupted.ended(running);
      void this.#doubts.overtaken(running);
    }
    const turn = this.#turns.get(threadId) ?? this.#turns.begin(threadId, undefined);
    turn.id ??= turnId;
    turn.rootId ??= rootId;
    turn.activeId = turnId;
    this.#turns.hasBegun(turn);
    this.#options.onTurnsChanged();
  }

  #afterwards(frame: NotificationFrame, threadId: string): void {
    if (frame.method === "turn/completed") {
      const running = this.#turns.get(threadId);
      if (running !== undefined && isAnother(running, turnOfNotification(frame))) return;
      return this.#endTurn(threadId);
    }
    if (frame.method !== "thread/closed" && frame.method !== "thread/deleted") return;
    this.#closed(threadId);
  }

  #forget(threadId: string): void {
    this.#threads.forget(threadId);
    this.#endTold.delete(threadId);
    this.#unsaved.forget(threadId);
  }
}

function isAnother(turn: Turn<Peer>, id: string | undefined): boolean {
  return turn.id !== undefined && id !== undefined && turn.id !== id && turn.rootId !== id;
}

/** An interrupt under the name that the app-server expects, whichever of its names it was given. */
function withActiveId(frame: RequestFrame, turn: Turn<Peer>): RequestFrame {
  const params = isRecord(frame.params) ? frame.params : {};
  const named = params["turnId"];
  if (turn.activeId === undefined || (named !== turn.id && named !== turn.rootId)) return frame;
  return withParams(frame, { ...params, turnId: turn.activeId });
}

function refuse(peer: Peer, { id }: RequestFrame, error: BrokerError): void {
  peer.send(errorLine(id, toRpcError(error)));
}

function statusOf(turn: Turn<Peer>): TurnStatusEntry {
  const now = monotonicMs();
  return {
    threadId: turn.threadId,
    turnId: turn.id ?? null,
    session: turn.owner?.id ?? null,
    ageMs: Math.round(now - turn.startedAt),
    silentMs: Math.round(now - turn.lastEventAt),
  };
}

function isHeldElsewhere(frame: RequestFrame, outcome: Outcome): boolean {
  if (frame.method !== "thread/resume" || BrokerError.is(outcome)) return false;
  const message = outcome.error?.message ?? "";
  // The first of another app-server, the second of ours, which is just letting go of it.
  return message.includes("already has an active writer") || message.includes("is closing; retry");
}
