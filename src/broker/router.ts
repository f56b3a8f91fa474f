import { limitMsOf, notificationFacts, requestFacts } from "../app-server/method-table.ts";
import { BrokerError } from "../base/errors.ts";
import { monotonicMs } from "../base/deadline.ts";
import { trace } from "../base/trace.ts";
import type { Draining, TurnLost, TurnStatusEntry } from "../wire/broker-protocol.ts";
import {
  withId,
  withParams,
  type AnswerFrame,
  type NotificationFrame,
  type RequestFrame,
} from "../wire/frame.ts";
import { errorLine, isRecord, notificationLine, resultLine, toRpcError } from "../wire/messages.ts";
import { OpenHandles, ownerOfHandle, withUpstreamHandles } from "./handles.ts";
import { HeldEvents } from "./held-events.ts";
import type { Peer } from "./peer.ts";
import { ServerRequests, threadOf } from "./server-requests.ts";
import { Threads } from "./threads.ts";
import { Turns, type Turn } from "./turns.ts";
import { Upstream, type Outcome } from "./upstream.ts";

/** An interrupt is answered in about 10 ms. */
const INTERRUPT_LIMIT_MS = 5_000;
const RELEASE_LIMIT_MS = 5_000;
/** A predecessor that drains lets go of its idle threads within about a second. */
const WRITER_GRACE_MS = 5_000;
const WRITER_PAUSE_MS = 100;
/** A session that has this many requests waiting is told to wait for answers. */
const MAX_WAITING_PER_SESSION = 10_000;

const MAX_GREETINGS = 10;

/** Begin a turn on the thread they name. */
const TURN_STARTERS = new Set(["turn/start", "review/start", "thread/compact/start"]);
/** Begin work, or take a thread up: what a broker that is about to end must leave to its successor. */
const WORK_STARTERS = new Set([...TURN_STARTERS, "thread/start", "thread/resume", "thread/fork"]);
/** Their answer names a thread that the session hears from then on. */
const SUBSCRIBERS = new Set(["thread/start", "thread/resume", "thread/fork"]);
/** Run in a directory that defaults to the app-server's own, which is no one's workspace. */
const NEED_CWD = new Set(["thread/start", "command/exec", "process/spawn"]);

export interface RouterOptions {
  readonly workspace: string;
  /** Called when a turn has begun or ended. */
  readonly onTurnsChanged: () => void;
  /** Called when a turn has started a process of its own. */
  readonly onCommandStarted: () => void;
  /** Called when the app-server owes no answer any more. */
  readonly onAllAnswered: () => void;
}

/**
 * Between the sessions and the one app-server: each message goes by its request id, else by its
 * handle, else by its thread, else to everyone. There is no "current" session.
 */
export class Router {
  readonly upstream: Upstream;
  readonly #options: RouterOptions;
  readonly #peers = new Map<number, Peer>();
  readonly #threads = new Threads<Peer>();
  readonly #turns = new Turns<Peer>();
  readonly #held = new HeldEvents();
  readonly #handles = new OpenHandles();
  readonly #questions: ServerRequests;
  /** What the app-server said once at its start and would say to each new connection. */
  readonly #greetings = new Map<string, NotificationFrame>();
  #draining: Draining | undefined;

  constructor(options: RouterOptions) {
    this.#options = options;
    this.upstream = new Upstream({
      onNotification: (frame) => this.#fromAppServer(frame),
      onServerRequest: (frame) => this.#question(frame),
      onAllAnswered: options.onAllAnswered,
    });
    this.#questions = new ServerRequests((line) => this.upstream.sendLine(line));
  }

  get threadCount(): number {
    return this.#threads.size;
  }

  get turnCount(): number {
    return this.#turns.size;
  }

  threadsOf(peer: Peer): number {
    return this.#threads.subscribedTo(peer).length;
  }

  turns(): TurnStatusEntry[] {
    const now = monotonicMs();
    return [...this.#turns.all()].map((turn) => ({
      threadId: turn.threadId,
      turnId: turn.id ?? null,
      session: turn.owner?.id ?? null,
      ageMs: Math.round(now - turn.startedAt),
      silentMs: Math.round(now - turn.lastEventAt),
    }));
  }

  /** The session may send and hear from now on. */
  join(peer: Peer): void {
    this.#peers.set(peer.id, peer);
    for (const frame of this.#greetings.values()) peer.deliver(frame);
    if (this.#draining !== undefined) {
      peer.send(notificationLine("broker/draining", this.#draining));
    }
  }

  /** The session has gone: what it had waiting, running and open is ended, and nothing of others' is. */
  leave(peer: Peer): void {
    if (!this.#peers.delete(peer.id)) return;
    this.upstream.withdraw(peer);
    this.#questions.leave(peer);
    for (const handle of this.#handles.leave(peer)) {
      this.#askQuietly(handle.method, handle.params, RELEASE_LIMIT_MS);
    }
    const left = [...this.#turns.all()].filter(({ threadId }) => this.#ownerOf(threadId) === peer);
    for (const turn of left) {
      turn.owner = undefined;
      this.#abandon(turn);
    }
    for (const threadId of this.#threads.subscribedTo(peer)) {
      this.#threads.unsubscribe(threadId, peer);
    }
    for (const threadId of this.#threads.unheard()) this.#releaseIfIdle(threadId);
  }

  request(peer: Peer, frame: RequestFrame): void {
    const refusal = this.#refusal(peer, frame);
    if (refusal !== undefined) return peer.send(errorLine(frame.id, toRpcError(refusal)));
    if (frame.method === "thread/unsubscribe" && this.#leaveThread(peer, frame)) return;
    const forward = (): void => this.#forward(peer, this.#adapted(peer, frame), frame);
    if (frame.method === "turn/interrupt") {
      return this.#onceInterruptible(threadParam(frame), forward);
    }
    forward();
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
    this.#tellAll(notificationLine("broker/draining", draining));
    for (const threadId of this.#threads.all()) this.#releaseIfIdle(threadId);
  }

  interruptAll(): void {
    for (const turn of this.#turns.all()) this.#abandon(turn);
  }

  /** The app-server has gone: every turn gets its terminal event, every waiting request its answer. */
  lose(cause: BrokerError): void {
    this.#held.clear();
    this.#questions.clear();
    for (const turn of this.#turns.all()) {
      const error = new BrokerError("turnLost", `The turn was lost: ${cause.message}`, {
        details: { threadId: turn.threadId, turnId: turn.id ?? null, ...cause.details },
        hint: `Continue the thread with \`codex-broker run --resume ${turn.threadId}\`.`,
      });
      const lost: TurnLost = {
        threadId: turn.threadId,
        turnId: turn.id ?? null,
        error: error.toJSON(),
      };
      const line = notificationLine("broker/turnLost", lost);
      for (const peer of this.#threads.audience(turn.threadId)) peer.send(line);
    }
    for (const turn of this.#turns.all()) this.#turns.end(turn.threadId);
    this.upstream.close(cause);
  }

  #refusal(peer: Peer, frame: RequestFrame): BrokerError | undefined {
    if (this.#draining !== undefined && WORK_STARTERS.has(frame.method)) {
      return new BrokerError(
        "draining",
        `This broker takes no new work: ${this.#draining.reason}.`,
      );
    }
    const facts = requestFacts(frame.method);
    if (facts !== undefined && !facts.stable && !peer.experimentalApi) {
      return new BrokerError(
        "invalidRequest",
        `${frame.method} requires experimentalApi capability`,
      );
    }
    if (this.upstream.waitingOf(peer) >= MAX_WAITING_PER_SESSION) {
      return new BrokerError(
        "tooManyRequests",
        `More than ${MAX_WAITING_PER_SESSION} requests are waiting.`,
      );
    }
    return TURN_STARTERS.has(frame.method)
      ? this.#turnRefusal(peer, threadParam(frame))
      : undefined;
  }

  #turnRefusal(peer: Peer, threadId: string | undefined): BrokerError | undefined {
    if (threadId === undefined) return undefined;
    // Upstream would run it, but tell the broker nothing of it, and so nobody.
    if (!this.#threads.knows(threadId)) {
      return new BrokerError("invalidRequest", `thread not found: ${threadId}`, {
        hint: "Send `thread/resume` first: a turn is heard on a thread that was started or resumed here.",
      });
    }
    const running = this.#turns.get(threadId);
    return running === undefined ? undefined : threadBusy(running, peer);
  }

  /** The request as it goes upstream: handles under the session's name, and a directory where one is needed. */
  #adapted(peer: Peer, frame: RequestFrame): RequestFrame {
    const named = withUpstreamHandles(frame, peer);
    if (!NEED_CWD.has(named.method) || !isRecord(named.params)) return named;
    const cwd = named.params["cwd"];
    if (cwd !== undefined && cwd !== null) return named;
    return withParams(named, { ...named.params, cwd: this.#options.workspace });
  }

  #forward(peer: Peer, frame: RequestFrame, original: RequestFrame): void {
    const threadId = threadParam(frame);
    const begun =
      TURN_STARTERS.has(frame.method) && threadId !== undefined
        ? this.#beginTurn(threadId, peer)
        : undefined;
    this.#handles.note(peer, frame);
    const request = {
      owner: peer,
      method: frame.method,
      limitMs: limitMsOf(frame.method),
      urgent: frame.method === "turn/interrupt",
    };
    const forward = (): void => this.upstream.forward(request, frame, settle);
    const givenUpAt = monotonicMs() + WRITER_GRACE_MS;
    const settle = (outcome: Outcome): void => {
      if (isHeldElsewhere(frame, outcome) && this.#peers.has(peer.id)) {
        if (monotonicMs() < givenUpAt) return void setTimeout(forward, WRITER_PAUSE_MS);
        return peer.send(errorLine(original.id, toRpcError(heldElsewhere(threadId))));
      }
      const failed = BrokerError.is(outcome) || outcome.error !== undefined;
      if (begun !== undefined) this.#turnAnswered(begun, outcome);
      this.#handles.answered(peer, frame, failed);
      if (BrokerError.is(outcome)) return peer.send(errorLine(original.id, toRpcError(outcome)));
      const heard = failed ? undefined : this.#hears(peer, frame, outcome);
      peer.send(withId(outcome, original.id));
      if (heard !== undefined) this.#tellHeld(heard);
    };
    forward();
  }

  /** @returns the thread that the session hears since this answer. */
  #hears(peer: Peer, frame: RequestFrame, answer: AnswerFrame): string | undefined {
    const threadId = SUBSCRIBERS.has(frame.method) ? threadInResult(answer.result) : undefined;
    if (threadId === undefined) return undefined;
    this.#threads.subscribe(threadId, peer);
    // The session may have gone while this was on its way; then nobody hears the thread.
    if (!this.#peers.has(peer.id)) {
      this.#threads.unsubscribe(threadId, peer);
      this.#releaseIfUnheard(threadId);
      return undefined;
    }
    return threadId;
  }

  /** Leaving a thread that others hear concerns only this session. @returns whether it was answered. */
  #leaveThread(peer: Peer, frame: RequestFrame): boolean {
    const threadId = threadParam(frame);
    if (threadId === undefined || !this.#threads.knows(threadId)) return false;
    const subscribed = this.#threads.unsubscribe(threadId, peer);
    const status = subscribed ? "unsubscribed" : "notSubscribed";
    peer.send(resultLine(frame.id, { status }));
    this.#releaseIfUnheard(threadId);
    return true;
  }

  #beginTurn(threadId: string, peer: Peer): Turn<Peer> {
    this.#threads.subscribe(threadId, peer);
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
    const started = isRecord(outcome.result) ? outcome.result["turn"] : undefined;
    if (isRecord(started) && typeof started["id"] === "string") turn.id ??= started["id"];
  }

  #endTurn(threadId: string): void {
    if (this.#turns.end(threadId) === undefined) return;
    if (this.#draining === undefined) this.#releaseIfUnheard(threadId);
    else this.#releaseIfIdle(threadId);
    this.#options.onTurnsChanged();
  }

  /** Whoever asks for an end before the beginning is heard when it has begun, and not refused. */
  #onceInterruptible(threadId: string | undefined, interrupt: () => void): void {
    const turn = threadId === undefined ? undefined : this.#turns.get(threadId);
    if (turn === undefined || turn.begun) return interrupt();
    turn.onceBegun.push(interrupt);
  }

  #abandon(turn: Turn<Peer>): void {
    this.#onceInterruptible(turn.threadId, () => {
      const params = { threadId: turn.threadId, turnId: turn.id };
      if (turn.id !== undefined) this.#askQuietly("turn/interrupt", params, INTERRUPT_LIMIT_MS);
    });
  }

  #releaseIfUnheard(threadId: string): void {
    if (this.#threads.audience(threadId).size === 0) this.#releaseIfIdle(threadId);
  }

  /** Lets the app-server unload the thread, with its MCP servers, and lets another one take it up. */
  #releaseIfIdle(threadId: string): void {
    if (this.#turns.get(threadId) !== undefined || !this.#threads.knows(threadId)) return;
    this.#threads.forget(threadId);
    this.#askQuietly("thread/unsubscribe", { threadId }, RELEASE_LIMIT_MS);
  }

  /** A request whose answer nobody waits for. */
  #askQuietly(method: string, params: unknown, limitMs: number): void {
    this.upstream.request(method, params, limitMs).catch((error: unknown) => {
      trace("info", "router.unanswered", { method, params, error: String(error) });
    });
  }

  #question(frame: RequestFrame): void {
    const threadId = threadOf(frame);
    if (threadId === undefined) return this.#questions.ask(frame, undefined);
    this.#turns.touch(threadId);
    const [first] = this.#threads.audience(threadId);
    this.#questions.ask(frame, this.#ownerOf(threadId) ?? first);
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
    this.#observe(frame, threadId);
    const heard = this.#threads.knows(threadId) || this.#adoptChild(frame, threadId);
    if (heard) this.#tell(threadId, frame);
    else this.#held.hold(threadId, frame);
    this.#afterwards(frame, threadId);
  }

  #tell(threadId: string, frame: NotificationFrame): void {
    if (frame.method === "serverRequest/resolved") {
      const resolved = this.#questions.resolved(frame);
      return resolved?.addressee.deliver(resolved.frame);
    }
    for (const peer of this.#threads.audience(threadId)) peer.deliver(frame);
  }

  #tellHeld(threadId: string): void {
    for (const frame of this.#held.release(threadId)) this.#tell(threadId, frame);
  }

  #tellAll(line: string): void {
    for (const peer of this.#peers.values()) peer.send(line);
  }

  #global(frame: NotificationFrame): void {
    if (frame.method === "configWarning" || frame.method === "remoteControl/status/changed") {
      this.#greet(frame);
    }
    for (const peer of this.#peers.values()) peer.deliver(frame);
  }

  #greet(frame: NotificationFrame): void {
    const summary = isRecord(frame.params) ? frame.params["summary"] : undefined;
    this.#greetings.set(`${frame.method} ${String(summary)}`, frame);
    const [oldest] = this.#greetings.keys();
    if (this.#greetings.size > MAX_GREETINGS && oldest !== undefined) {
      this.#greetings.delete(oldest);
    }
  }

  /** What the event says of turns, taken down before it is told, so that a reply finds it known. */
  #observe(frame: NotificationFrame, threadId: string): void {
    this.#turns.touch(threadId);
    if (startsProcess(frame)) this.#options.onCommandStarted();
    if (frame.method !== "turn/started") return;
    const turn = this.#turns.get(threadId) ?? this.#turns.begin(threadId, undefined);
    turn.id ??= turnIdIn(frame);
    this.#turns.hasBegun(turn);
    this.#options.onTurnsChanged();
  }

  #afterwards(frame: NotificationFrame, threadId: string): void {
    if (frame.method === "turn/completed") this.#endTurn(threadId);
    if (frame.method !== "thread/closed" && frame.method !== "thread/deleted") return;
    this.#endTurn(threadId);
    this.#threads.forget(threadId);
  }

  #adoptChild(frame: NotificationFrame, threadId: string): boolean {
    const thread = isRecord(frame.params) ? frame.params["thread"] : undefined;
    const parent = isRecord(thread) ? thread["parentThreadId"] : undefined;
    if (typeof parent !== "string" || !this.#threads.knows(parent)) return false;
    this.#threads.adopt(threadId, parent);
    this.#tellHeld(threadId);
    return true;
  }
}

function threadBusy(turn: Turn<Peer>, peer: Peer): BrokerError {
  const ageMs = Math.round(monotonicMs() - turn.startedAt);
  const whose = turn.owner === peer ? "a turn of this session" : "a turn of another session";
  return new BrokerError("threadBusy", `Thread ${turn.threadId} is running ${whose}.`, {
    details: {
      threadId: turn.threadId,
      turnId: turn.id ?? null,
      session: turn.owner?.id ?? null,
      ageMs,
    },
  });
}

/** Codex lets one app-server at a time write to a thread. */
function isHeldElsewhere(frame: RequestFrame, outcome: Outcome): boolean {
  if (frame.method !== "thread/resume" || BrokerError.is(outcome)) return false;
  return outcome.error?.message.includes("already has an active writer") === true;
}

function heldElsewhere(threadId: string | undefined): BrokerError {
  return new BrokerError(
    "threadBusy",
    `Thread ${String(threadId)} is in use by another Codex: an older broker whose turn still runs, or another program.`,
    {
      details: { threadId },
      hint: "Wait until it has ended there; `codex-broker status` shows what runs.",
    },
  );
}

function threadParam(frame: RequestFrame): string | undefined {
  const name = requestFacts(frame.method)?.threadId ?? "threadId";
  const value = isRecord(frame.params) ? frame.params[name] : undefined;
  return typeof value === "string" ? value : undefined;
}

function threadInResult(result: unknown): string | undefined {
  const thread = isRecord(result) ? result["thread"] : undefined;
  const id = isRecord(thread) ? thread["id"] : undefined;
  return typeof id === "string" ? id : undefined;
}

function threadOfNotification(frame: NotificationFrame): string | undefined {
  const path = notificationFacts(frame.method)?.threadId ?? "threadId";
  let value: unknown = frame.params;
  for (const name of path.split(".")) value = isRecord(value) ? value[name] : undefined;
  return typeof value === "string" ? value : undefined;
}

/** A thread starts MCP servers and asks the user's shell for its settings; a turn runs commands. */
function startsProcess(frame: NotificationFrame): boolean {
  if (frame.method === "thread/started") return true;
  const item =
    frame.method === "item/started" && isRecord(frame.params) ? frame.params["item"] : undefined;
  return isRecord(item) && item["type"] === "commandExecution";
}

function turnIdIn(frame: NotificationFrame): string | undefined {
  const turn = isRecord(frame.params) ? frame.params["turn"] : undefined;
  const id = isRecord(turn) ? turn["id"] : undefined;
  return typeof id === "string" ? id : undefined;
}
