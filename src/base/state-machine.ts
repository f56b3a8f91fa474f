/**
 * A finite state machine in its plainest form: the table of legal moves is data, an illegal move
 * throws, and everyone who wants to know is told after the move.
 */
export class StateMachine<S extends string> {
  readonly #moves: Readonly<Record<S, readonly S[]>>;
  readonly #listeners = new Set<(to: S, from: S) => void>();
  #state: S;

  constructor(initial: S, moves: Readonly<Record<S, readonly S[]>>) {
    this.#state = initial;
    this.#moves = moves;
  }

  get state(): S {
    return this.#state;
  }

  is(...states: readonly S[]): boolean {
    return states.includes(this.#state);
  }

  can(to: S): boolean {
    return this.#moves[this.#state].includes(to);
  }

  /** @throws Error when the table does not allow the move: that is a defect of the caller. */
  to(next: S): void {
    const from = this.#state;
    if (!this.can(next)) throw new Error(`illegal move from ${from} to ${next}`);
    this.#state = next;
    for (const listener of this.#listeners) listener(next, from);
  }

  /** Returns its own undo. */
  onMove(listener: (to: S, from: S) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
