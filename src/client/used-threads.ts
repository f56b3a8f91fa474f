import { startTimer, type Timer } from "../base/deadline.ts";
import type { TurnRun } from "./turn.ts";

/** The next turn on a thread often follows at once; the thread then need not be opened anew. */
const LINGER_MS = 1_000;

/** Which threads were opened by turns alone, and are released when the last of these has ended. */
export class UsedThreads {
  readonly #release: (threadId: string) => void;
  /** The turns that have not ended, by thread. */
  readonly #turns = new Map<string, Set<TurnRun>>();
  readonly #timers = new Map<string, Timer>();
  /** Threads that the client itself uses, besides its turns. */
  readonly #kept = new Set<string>();
  /** Turns after which the thread is kept. */
  readonly #keeping = new WeakSet<TurnRun>();

  constructor(release: (threadId: string) => void) {
    this.#release = release;
  }

  keep(threadId: string | undefined): void {
    if (threadId === undefined) return;
    this.#kept.add(threadId);
    this.#stopTimer(threadId);
  }

  keepOf(turn: TurnRun): void {
    this.#keeping.add(turn);
  }

  begin(turn: TurnRun, threadId: string | undefined): void {
    if (threadId === undefined) return;
    if (this.#keeping.has(turn)) this.keep(threadId);
    this.#stopTimer(threadId);
    this.#turns.set(threadId, (this.#turns.get(threadId) ?? new Set()).add(turn));
  }

  end(turn: TurnRun): void {
    for (const [threadId, turns] of this.#turns) {
      if (!turns.delete(turn) || turns.size > 0) continue;
      this.#turns.delete(threadId);
      if (this.#kept.has(threadId)) continue;
      const release = (): void => {
        this.#timers.delete(threadId);
        this.#release(threadId);
      };
      this.#timers.set(threadId, startTimer(LINGER_MS, release).unref());
    }
  }

  /** The threads that are about to be released. */
  unneeded(): string[] {
    return [...this.#timers.keys()];
  }

  /** The client has left the thread. */
  forget(threadId: string): void {
    this.#kept.delete(threadId);
    this.#stopTimer(threadId);
  }

  #stopTimer(threadId: string): void {
    this.#timers.get(threadId)?.stop();
    this.#timers.delete(threadId);
  }
}
