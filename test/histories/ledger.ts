/** A turn that somebody has asked for, from the request to the first terminal event that anybody got. */
interface Interval {
  readonly threadId: string;
  readonly from: number;
  to: number;
  turnId?: string;
}

export interface Asked {
  readonly from: number;
  /** No turn came of it, or it is over. */
  done(): void;
  began(turnId: string): void;
  /** Whether another turn was asked for, or ran, on that thread meanwhile. */
  wasBusy(): boolean;
}

/** What is known of a turn, whoever asked for it. */
export interface TurnFacts {
  readonly threadId: string;
  readonly turnId: string;
  /** What its script says; undefined where another program chose it. */
  expected?: string;
  /** The session that has started it; undefined for a job. */
  owner?: { readonly name: string; readonly isLeft: boolean };
  /** Somebody has interrupted it or added to it. */
  altered: boolean;
  over: boolean;
}

/** What all participants have asked for, and everything that should not have happened. */
export class Ledger {
  readonly violations: string[] = [];
  /** The latest events of every session, for the report. */
  readonly log: string[] = [];
  readonly turns = new Map<string, TurnFacts>();
  /** What happened so far that cuts turns, and how often a broker was replaced. */
  outages = 0;
  rotations = 0;
  readonly #from = performance.now();
  readonly #intervals: Interval[] = [];
  readonly #saved = new Set<string>();

  violation(what: string): void {
    this.note(`VIOLATION ${what}`);
    this.violations.push(what);
  }

  note(what: string): void {
    this.log.push(`${Math.round(performance.now() - this.#from)} ms ${what}`);
  }

  turn(threadId: string, turnId: string): TurnFacts {
    const known = this.turns.get(turnId);
    if (known !== undefined) return known;
    const facts: TurnFacts = { threadId, turnId, altered: false, over: false };
    this.turns.set(turnId, facts);
    return facts;
  }

  /** The turn that runs on the thread, as far as its events have come. */
  runningOn(threadId: string): TurnFacts | undefined {
    return [...this.turns.values()].find((turn) => turn.threadId === threadId && !turn.over);
  }

  /** Notes that somebody asks for a turn. */
  asks(threadId: string): Asked {
    const interval: Interval = { threadId, from: performance.now(), to: Infinity };
    this.#intervals.push(interval);
    return {
      from: interval.from,
      done: () => (interval.to = Math.min(interval.to, performance.now())),
      began: (turnId) => {
        interval.turnId = turnId;
        if (this.turn(threadId, turnId).over) interval.to = performance.now();
      },
      wasBusy: () => this.#wasBusy(interval),
    };
  }

  /** Notes that somebody asks for the thread itself from now on. */
  watches(threadId: string): Pick<Asked, "from" | "wasBusy"> {
    const interval = { threadId, from: performance.now(), to: Infinity };
    return { from: interval.from, wasBusy: () => this.#wasBusy(interval) };
  }

  ended(turn: TurnFacts): void {
    turn.over = true;
    this.#saved.add(turn.threadId);
    const interval = this.#intervals.find(({ turnId }) => turnId === turn.turnId);
    if (interval !== undefined) interval.to = performance.now();
    else this.#intervals.push({ threadId: turn.threadId, from: 0, to: performance.now() });
  }

  /** Whether another turn was asked for, or ran, on that thread meanwhile. */
  #wasBusy(own: Interval): boolean {
    const running = this.runningOn(own.threadId);
    if (running !== undefined && running.turnId !== own.turnId) return true;
    return this.#intervals.some(
      (one) => one !== own && one.threadId === own.threadId && one.to >= own.from,
    );
  }

  /** Codex saves a thread with its first turn, and only such a one can be resumed. */
  isSaved(threadId: string): boolean {
    return this.#saved.has(threadId);
  }
}
