import { expect } from "vitest";
import type { Message } from "./bench.ts";
import type { Response, SimulationEvents } from "./simulated-server.ts";

/** A request of a session, as the session knows it. */
export interface Asked {
  readonly session: ExpectedSession;
  readonly id: number;
  readonly method: string;
  readonly threadId: string | undefined;
  /** The request that it cancels. */
  readonly names: number | undefined;
}

/** What one session must have received in the end. */
export class ExpectedSession {
  /** The events of each thread and its sub-agents, by their numbers, in order. */
  readonly streams = new Map<string, number[]>();
  /** What concerns every session, by thread. */
  readonly news = new Map<string, string[]>();
  /** How often something changed that it watches. */
  changes = 0;
  gone = false;
}

interface Told {
  readonly threadId: string;
  readonly seq: number;
}

/** Who subscribes to what, and so must receive what: the rules of the router in the plainest words. */
export class Expectations implements SimulationEvents {
  readonly sessions = new Set<ExpectedSession>();
  /** Threads that were closed before a turn on them had a response: that comes first, whenever it comes. */
  readonly delayed = new Set<string>();
  readonly #asked = new Map<string, Asked>();
  #marks = 0;
  readonly #subscribers = new Map<string, Set<ExpectedSession>>();
  readonly #parents = new Map<string, string>();
  readonly #watchers = new Map<string, ExpectedSession>();
  /** Unsubscribes that wait for an open request of the same session. */
  readonly #leaves: Array<{ session: ExpectedSession; threadId: string }> = [];
  /** Threads on which a turn runs, or has been asked for. */
  readonly #inTurn = new Set<string>();
  /** What was told of running turns, by root. */
  readonly #backlogs = new Map<string, Told[]>();

  /** A request of a session is about to be sent. @returns the mark by which its copy is known. */
  ask(asked: Asked): string {
    const mark = `m${this.#marks++}`;
    this.#asked.set(mark, asked);
    return mark;
  }

  #isOpening(session: ExpectedSession, threadId: string): boolean {
    return [...this.#asked.values()].some(
      (each) =>
        each.session === session &&
        each.threadId === threadId &&
        (each.method === "thread/resume" || each.method === "thread/fork"),
    );
  }

  onReceived(request: Message): void {
    const asked = this.#askedBy(request);
    if (asked?.method !== "turn/start" || asked.threadId === undefined) return;
    this.#inTurn.add(asked.threadId);
    // Sent on behalf of a session that may have gone since.
    if (!asked.session.gone) this.#join(asked.session, asked.threadId);
  }

  /** Whether one of these requests is the session's own with that id. */
  isAmong(requests: readonly Message[], session: ExpectedSession, id: number): boolean {
    return requests.some((each) => {
      const asked = this.#askedBy(each);
      return asked?.session === session && asked.id === id;
    });
  }

  subscribedTo(session: ExpectedSession): string[] {
    return [...this.#subscribers].flatMap(([id, set]) => (set.has(session) ? id : []));
  }

  hasSubscriber(threadId: string): boolean {
    return (this.#subscribers.get(threadId)?.size ?? 0) > 0;
  }

  /** The session has sent an unsubscribe. */
  leave(session: ExpectedSession, threadId: string): void {
    if (this.#isOpening(session, threadId)) this.#leaves.push({ session, threadId });
    else this.#subscribers.get(threadId)?.delete(session);
  }

  disconnect(session: ExpectedSession): void {
    session.gone = true;
    this.sessions.delete(session);
    for (const set of this.#subscribers.values()) set.delete(session);
  }

  onSpawned(threadId: string, parent: string): void {
    this.#parents.set(threadId, parent);
  }

  onChange(watchId: string): void {
    const session = this.#watchers.get(watchId);
    if (session?.gone === false) session.changes += 1;
  }

  /** A session cancels its own request, and no other. */
  onCancelled(request: Message, sample: Message | undefined): void {
    const [canceller, cancelled] = [this.#askedBy(request), sample && this.#askedBy(sample)];
    if (sample === undefined || canceller === undefined) return;
    expect([cancelled?.session === canceller.session, cancelled?.id]).toEqual([
      true,
      canceller.names,
    ]);
  }

  onResponse(request: Message, response: Response): void {
    const asked = this.#askedBy(request);
    if (asked === undefined) return;
    this.#asked.delete(String(request.params?.["mark"]));
    const { session, method, threadId } = asked;
    if (method === "fs/watch") this.#watchers.set(String(request.params?.["watchId"]), session);
    if (method === "turn/start" && response.error !== undefined && threadId !== undefined) {
      this.#turnIsOver(threadId);
    }
    const thread = response.result?.["thread"] as { id: string } | undefined;
    if (session.gone) return;
    if (thread !== undefined) this.#join(session, thread.id);
    if (threadId !== undefined) this.#settleLeaves(session, threadId);
  }

  onStream(threadId: string, seq: number): void {
    const root = this.#rootOf(threadId);
    for (const session of this.#subscribers.get(root) ?? []) streamOf(session, root).push(seq);
    if (this.#isInTurn(threadId)) this.#backlogOf(root).push({ threadId, seq });
  }

  onTurn(threadId: string, begun: boolean): void {
    if (begun) this.#inTurn.add(threadId);
    else this.#turnIsOver(threadId);
  }

  onNews(threadId: string, method: string): void {
    if (this.#inTurn.has(threadId)) this.delayed.add(threadId);
    for (const { news } of this.sessions) {
      news.set(threadId, [...(news.get(threadId) ?? []), method]);
    }
  }

  onUnloaded(threadId: string): void {
    this.#subscribers.delete(threadId);
  }

  #settleLeaves(session: ExpectedSession, threadId: string): void {
    if (this.#isOpening(session, threadId)) return;
    const isDue = (each: { session: ExpectedSession; threadId: string }): boolean =>
      each.session === session && each.threadId === threadId;
    const due = this.#leaves.filter(isDue);
    if (due.length === 0) return;
    this.#leaves.splice(0, this.#leaves.length, ...this.#leaves.filter((each) => !isDue(each)));
    this.leave(session, threadId);
  }

  #askedBy(request: Message): Asked | undefined {
    return this.#asked.get(String(request.params?.["mark"]));
  }

  #join(session: ExpectedSession, threadId: string): void {
    const subscribers = this.#subscribers.get(threadId) ?? new Set();
    this.#subscribers.set(threadId, subscribers);
    if (subscribers.has(session)) return;
    subscribers.add(session);
    const backlog = this.#backlogOf(threadId);
    streamOf(session, threadId).push(...backlog.map(({ seq }) => seq));
  }

  #turnIsOver(threadId: string): void {
    this.#inTurn.delete(threadId);
    const root = this.#rootOf(threadId);
    const goesOn = this.#backlogOf(root).filter((told) => this.#isInTurn(told.threadId));
    this.#backlogs.set(root, goesOn);
  }

  #isInTurn(threadId: string): boolean {
    if (this.#inTurn.has(threadId)) return true;
    const parent = this.#parents.get(threadId);
    return parent !== undefined && this.#isInTurn(parent);
  }

  #rootOf(threadId: string): string {
    return this.#parents.get(threadId) ?? threadId;
  }

  #backlogOf(root: string): Told[] {
    const backlog = this.#backlogs.get(root) ?? [];
    this.#backlogs.set(root, backlog);
    return backlog;
  }
}

function streamOf(session: ExpectedSession, root: string): number[] {
  const stream = session.streams.get(root) ?? [];
  session.streams.set(root, stream);
  return stream;
}
