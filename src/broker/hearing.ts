import type { MissedEvents } from "../wire/broker-protocol.ts";
import type { NotificationFrame } from "../wire/frame.ts";
import { notificationLine } from "../wire/messages.ts";
import { trace } from "../base/trace.ts";
import { subAgentsIn, type SubAgent } from "../wire/sub-agents.ts";
import { endsThread } from "../wire/thread-ends.ts";
import { Backlog } from "./backlog.ts";
import { HeldEvents } from "./held-events.ts";
import type { Peer } from "./peer.ts";
import { deliveryOf } from "./thread-news.ts";
import { Threads } from "./threads.ts";

export interface HearingOptions {
  readonly maxBacklogBytes: number;
  readonly maxHeldEvents: number;
  /** Whether a turn runs on that very thread. */
  readonly hasTurn: (threadId: string) => boolean;
  /** Whether a thread without subscribers may be one that is being opened. */
  readonly mayBeOpening: (threadId: string) => boolean;
  readonly isDraining: () => boolean;
  readonly everyone: () => Iterable<Peer>;
  /** Returns the thread that a turn which starts here works for, where the event says so. */
  readonly servedBy: (threadId: string, frame: NotificationFrame) => string | undefined;
  /** Called for a sub-agent's thread once its events reach the subscribers of the parent. */
  readonly onAdopted: (threadId: string) => void;
  /** Tells an event that each session must hear in its own words. @returns whether it was one. */
  readonly tellApart: (frame: NotificationFrame) => boolean;
}

/**
 * What is told of threads, and to whom. Events of a thread that is being opened wait for its first
 * subscriber; whoever joins in the middle of a turn is told first what was told of it before.
 */
export class Hearing {
  readonly threads = new Threads<Peer>();
  readonly #options: HearingOptions;
  readonly #held: HeldEvents;
  /** What was told of running turns, by the thread that all the work is for. */
  readonly #backlogs = new Map<string, Backlog>();

  constructor(options: HearingOptions) {
    this.#options = options;
    this.#held = new HeldEvents({
      maxPerThread: options.maxHeldEvents,
      maxBytes: options.maxBacklogBytes,
    });
  }

  hears(peer: Peer, threadId: string): boolean {
    return this.threads.audience(threadId).has(peer);
  }

  /**
   * The session hears the thread from now on.
   *
   * @returns what tells it the events that came before, to be called before anything else is told.
   */
  join(peer: Peer, threadId: string): () => void {
    const backlog = this.#backlogs.get(this.threads.rootOf(threadId));
    const before = new Set(backlog?.threads().filter((each) => this.hears(peer, each)));
    this.threads.subscribe(threadId, peer);
    const missed = backlog?.of((each) => !before.has(each) && this.hears(peer, each));
    return () => {
      for (const [each, events] of missed?.cut ?? []) tellCut(peer, { threadId: each, events });
      for (const frame of missed?.frames ?? []) peer.deliver(frame);
      const events = this.#held.cutOf(threadId);
      this.#tellHeld(threadId);
      if (events > 0) tellCut(peer, { threadId, events });
    };
  }

  /** Sends an event of the thread to its subscribers, now or as soon as there is one. */
  tell(threadId: string, frame: NotificationFrame): void {
    const served = this.#options.servedBy(threadId, frame);
    const named = subAgentsIn(frame.method, frame.params);
    const agents = served === undefined ? named : [...named, { threadId, parentId: served }];
    const adopted = agents.filter((agent) => this.#adopt(agent));
    // The app-server sent them before the event that names their thread.
    for (const agent of adopted) this.#tellHeld(agent.threadId);
    this.#deliver(threadId, frame);
    for (const agent of adopted) this.#options.onAdopted(agent.threadId);
  }

  /** What was told of turns that are over is told to nobody any more. */
  turnEnded(threadId: string): void {
    const root = this.threads.rootOf(threadId);
    const goesOn = (each: string): boolean => this.#inTurn(each);
    const backlog = this.#backlogs.get(root);
    backlog?.keep(goesOn);
    if (backlog?.isEmpty === true) this.#backlogs.delete(root);
  }

  /** A request that opens a thread, or a turn, is over: what is held for threads that it did not open is dropped. */
  openingEnded(): void {
    this.#held.prune(this.#options.mayBeOpening);
  }

  /** Nobody will be told anything any more. */
  clear(): void {
    this.#held.clear();
    this.#backlogs.clear();
  }

  #deliver(threadId: string, frame: NotificationFrame): void {
    if (endsThread(frame.method, frame.params)) this.#held.release(threadId);
    const delivery = deliveryOf(frame, {
      isLoaded: this.threads.knows(threadId),
      mayBeOpening: this.#options.mayBeOpening(threadId),
      isDraining: this.#options.isDraining(),
    });
    switch (delivery) {
      case "everyone":
        for (const peer of this.#options.everyone()) peer.deliver(frame);
        return;
      case "subscribers":
        return this.#tellNow(threadId, frame);
      case "held":
        return this.#held.hold(threadId, frame);
      case "dropped":
        return trace("debug", "thread.noSubscriber", { threadId, method: frame.method });
    }
  }

  #tellNow(threadId: string, frame: NotificationFrame): void {
    if (this.#options.tellApart(frame)) return;
    for (const peer of this.threads.audience(threadId)) peer.deliver(frame);
    if (this.#inTurn(threadId)) this.#record(threadId, frame);
  }

  #tellHeld(threadId: string): void {
    for (const frame of this.#held.release(threadId)) this.tell(threadId, frame);
  }

  /** Only what nobody knows yet: no thread is taken from those who hear it. */
  #adopt({ threadId, parentId }: SubAgent): boolean {
    if (this.threads.knows(threadId) || !this.threads.knows(parentId)) return false;
    this.threads.adopt(threadId, parentId);
    return true;
  }

  #record(threadId: string, frame: NotificationFrame): void {
    const root = this.threads.rootOf(threadId);
    const backlog = this.#backlogs.get(root) ?? new Backlog(this.#options.maxBacklogBytes);
    this.#backlogs.set(root, backlog);
    backlog.record(threadId, frame);
  }

  /** Whether a turn runs on the thread, or on one that it works for. */
  #inTurn(threadId: string): boolean {
    if (this.#options.hasTurn(threadId)) return true;
    const parent = this.threads.parentOf(threadId);
    return parent !== undefined && this.#inTurn(parent);
  }
}

function tellCut(peer: Peer, cut: MissedEvents): void {
  peer.send(notificationLine("broker/missed", cut));
}
