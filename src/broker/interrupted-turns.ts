import { trace } from "../base/trace.ts";
import type { Turn } from "./turns.ts";

/** An interrupted turn ends within milliseconds, one that has processes to end within some seconds. */
const FIRST_GRACE_MS = 10_000;
/** Once more, should the first have been lost. */
const SECOND_GRACE_MS = 3_000;

export interface InterruptedTurnsOptions<S extends object> {
  readonly again: (turn: Turn<S>) => void;
  /** It goes on all the same: only with the app-server it ends. */
  readonly onStuck: (turn: Turn<S>) => void;
}

/** Turns that were told to end. An acknowledgement is no end: each is followed until there is one. */
export class InterruptedTurns<S extends object> {
  readonly #options: InterruptedTurnsOptions<S>;
  readonly #timers = new Map<Turn<S>, NodeJS.Timeout>();

  constructor(options: InterruptedTurnsOptions<S>) {
    this.#options = options;
  }

  interrupted(turn: Turn<S>): void {
    if (this.#timers.has(turn)) return;
    this.#wait(turn, FIRST_GRACE_MS, () => {
      this.#options.again(turn);
      this.#wait(turn, SECOND_GRACE_MS, () => {
        const { threadId, id } = turn;
        trace("warn", "turn.stuck", { threadId, turnId: id ?? null });
        this.#options.onStuck(turn);
      });
    });
  }

  ended(turn: Turn<S>): void {
    clearTimeout(this.#timers.get(turn));
    this.#timers.delete(turn);
  }

  clear(): void {
    for (const turn of this.#timers.keys()) this.ended(turn);
  }

  #wait(turn: Turn<S>, ms: number, next: () => void): void {
    this.#timers.set(turn, setTimeout(next, ms).unref());
  }
}
