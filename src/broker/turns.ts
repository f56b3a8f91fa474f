import { monotonicMs } from "../base/deadline.ts";

export interface Turn<S> {
  readonly threadId: string;
  /** Unknown until the app-server has said it. */
  id: string | undefined;
  /** Who started it; undefined when that session has gone or nobody did. */
  owner: S | undefined;
  /** Its owner has gone: it is to be interrupted as soon as its id is known. */
  abandoned: boolean;
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

  ownedBy(owner: S): Array<Turn<S>> {
    return [...this.#byThread.values()].filter((turn) => turn.owner === owner);
  }

  begin(threadId: string, owner: S | undefined): Turn<S> {
    const now = monotonicMs();
    const turn = { threadId, id: undefined, owner, abandoned: false, startedAt: now, lastEventAt: now };
    this.#byThread.set(threadId, turn);
    return turn;
  }

  /** Something was heard of the thread. */
  touch(threadId: string): void {
    const turn = this.#byThread.get(threadId);
    if (turn !== undefined) turn.lastEventAt = monotonicMs();
  }

  end(threadId: string): Turn<S> | undefined {
    const turn = this.#byThread.get(threadId);
    this.#byThread.delete(threadId);
    return turn;
  }
}
