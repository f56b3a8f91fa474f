import { monotonicMs } from "../base/deadline.ts";

export interface Turn<S> {
  readonly threadId: string;
  /** Unknown until the app-server has said it. */
  id: string | undefined;
  /** The turn that it serves, whose end is its own: a review answers with the one and starts the other. */
  rootId: string | undefined;
  /** What the app-server knows the running turn by: of a review, not the id that it was answered with. */
  activeId: string | undefined;
  /** Who started it; undefined when that session has gone or nobody did. */
  owner: S | undefined;
  /** The app-server has said that it began. Before that it refuses to interrupt it. */
  begun: boolean;
  /** Starts of its owner that are on their way to it, and begin the next turn if they find it ended. */
  steering: number;
  /** The turn that one of them has begun instead. */
  nextId: string | undefined;
  /** Of a turn that may begin with such a start: the turn that the start was meant for. */
  after: Turn<S> | undefined;
  /** It does not end, whatever it is told: nobody waits for it any more. */
  givenUp: boolean;
  /** Its end has been told, or is not to be told any more. */
  over: boolean;
  /** What waits for the beginning, or for the end if that comes first. */
  readonly onceBegun: Array<() => void>;
  /** What waits for the id, or for the end if that comes first. */
  readonly onceNamed: Array<() => void>;
  readonly startedAt: number;
  lastEventAt: number;
}

/** The running turns, one a thread at most, as the app-server's own events tell. */
export class Turns<S extends object> {
  readonly #byThread = new Map<string, Turn<S>>();

  get size(): number {
    return this.#byThread.size;
  }

  get(threadId: string): Turn<S> | undefined {
    return this.#byThread.get(threadId);
  }

  all(): IterableIterator<Turn<S>> {
    return this.#byThread.values();
  }

  begin(threadId: string, owner: S | undefined): Turn<S> {
    const now = monotonicMs();
    const turn: Turn<S> = {
      threadId,
      id: undefined,
      rootId: undefined,
      activeId: undefined,
      owner,
      begun: false,
      steering: 0,
      nextId: undefined,
      after: undefined,
      givenUp: false,
      over: false,
      onceBegun: [],
      onceNamed: [],
      startedAt: now,
      lastEventAt: now,
    };
    this.#byThread.set(threadId, turn);
    return turn;
  }

  /** Something was heard of the thread. */
  touch(threadId: string): void {
    const turn = this.#byThread.get(threadId);
    if (turn !== undefined) turn.lastEventAt = monotonicMs();
  }

  isNamed(turn: Turn<S>): void {
    for (const step of turn.onceNamed.splice(0)) step();
  }

  hasBegun(turn: Turn<S>): void {
    turn.begun = true;
    for (const step of turn.onceBegun.splice(0)) step();
  }

  end(threadId: string): Turn<S> | undefined {
    const turn = this.#byThread.get(threadId);
    this.#byThread.delete(threadId);
    for (const step of turn?.onceBegun.splice(0) ?? []) step();
    for (const step of turn?.onceNamed.splice(0) ?? []) step();
    return turn;
  }
}
