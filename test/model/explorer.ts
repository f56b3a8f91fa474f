import { ByteSet } from "./byte-set.ts";

/** What somebody may do next. */
export interface Step<S> {
  /** Who does what, in words, for the trace of a breach. */
  readonly label: string;
  /** In which epoch; 0 when it has none yet. */
  readonly epoch: number;
  /**
   * Whether it is bound to be taken some day if nothing else happens. Faults are not, nor is what
   * somebody may just as well leave alone.
   */
  readonly due: boolean;
  readonly next: S;
  /** A rule that the step itself breaks, whatever state it leads to. */
  readonly breach?: string | undefined;
}

/** Something that can be in finitely many states. */
export interface Model<S> {
  readonly initial: S;
  /** Always as many, and equal for states that need not be told apart. */
  encode(state: S): Uint8Array;
  decode(bytes: Uint8Array): S;
  steps(state: S): readonly Step<S>[];
  /** What must never be, or undefined. */
  breachOf(state: S): string | undefined;
  /** What must not be once nothing is due any more, or undefined. */
  breachAtRest(state: S): string | undefined;
}

export interface Breach {
  readonly what: string;
  /** A shortest way there. */
  readonly trace: readonly string[];
}

export interface Exploration {
  /** Different states that were looked at. All there are, unless there is a breach. */
  readonly states: number;
  readonly steps: number;
  /** States in which nothing is due. */
  readonly atRest: number;
  readonly breach: Breach | undefined;
}

/**
 * Looks at every state that can be reached, nearest first, and stops at the first breach. Without one,
 * it also proves that things come to rest: there is no circle of due steps.
 */
export function explore<S>(model: Model<S>): Exploration {
  return new Search(model).run();
}

const ENDLESS = "due steps go on in a circle: it may never come to rest";

class Search<S> {
  readonly #model: Model<S>;
  readonly #seen: ByteSet;
  /** From where each state was reached first. */
  readonly #parents: number[] = [];
  /** Due steps as pairs of state numbers, in the order of the first. */
  readonly #from: number[] = [];
  readonly #to: number[] = [];
  #steps = 0;
  #atRest = 0;

  constructor(model: Model<S>) {
    this.#model = model;
    this.#seen = new ByteSet(model.encode(model.initial).length);
  }

  run(): Exploration {
    this.#number(this.#model.initial, 0);
    for (let at = 0; at < this.#seen.size; at += 1) {
      const breach = this.#visit(at);
      if (breach !== undefined) return this.#result(breach);
    }
    const circle = memberOfCircle(this.#seen.size, this.#from, this.#to);
    return this.#result(
      circle === undefined ? undefined : { what: ENDLESS, trace: this.#traceTo(circle) },
    );
  }

  #visit(at: number): Breach | undefined {
    const model = this.#model;
    const state = model.decode(this.#seen.at(at));
    const wrong = model.breachOf(state);
    if (wrong !== undefined) return { what: wrong, trace: this.#traceTo(at) };
    let due = false;
    for (const step of model.steps(state)) {
      this.#steps += 1;
      if (step.breach !== undefined) {
        return { what: step.breach, trace: [...this.#traceTo(at), describe(step)] };
      }
      const to = this.#number(step.next, at);
      // To look and learn nothing is waiting, not a step.
      if (!step.due || to === at) continue;
      due = true;
      this.#from.push(at);
      this.#to.push(to);
    }
    if (due) return undefined;
    this.#atRest += 1;
    const left = model.breachAtRest(state);
    return left === undefined ? undefined : { what: left, trace: this.#traceTo(at) };
  }

  #number(state: S, parent: number): number {
    const before = this.#seen.size;
    const number = this.#seen.add(this.#model.encode(state));
    if (number === before) this.#parents.push(parent);
    return number;
  }

  /** The labels are not kept: the steps are taken once more. */
  #traceTo(at: number): string[] {
    const trace: string[] = [];
    for (let to = at; to > 0; to = this.#parents[to]!) {
      const from = this.#model.decode(this.#seen.at(this.#parents[to]!));
      const taken = this.#model
        .steps(from)
        .find(({ next }) => this.#seen.add(this.#model.encode(next)) === to);
      trace.unshift(taken === undefined ? "?" : describe(taken));
    }
    return trace;
  }

  #result(breach: Breach | undefined): Exploration {
    return { states: this.#seen.size, steps: this.#steps, atRest: this.#atRest, breach };
  }
}

function describe({ label, epoch }: Step<unknown>): string {
  return epoch === 0 ? label : `${label} (epoch ${epoch})`;
}

/**
 * Takes away, again and again, what no edge leads to. What is left then lies on a circle, or behind one.
 *
 * @param from must ascend.
 */
export function memberOfCircle(
  count: number,
  from: readonly number[],
  to: readonly number[],
): number | undefined {
  const leadingIn = new Uint32Array(count);
  const firstEdge = new Uint32Array(count + 1);
  for (const each of to) leadingIn[each]! += 1;
  for (const each of from) firstEdge[each + 1]! += 1;
  for (let each = 0; each < count; each += 1) firstEdge[each + 1]! += firstEdge[each]!;
  const free: number[] = [];
  for (let each = 0; each < count; each += 1) if (leadingIn[each] === 0) free.push(each);
  let taken = 0;
  for (let each = free.pop(); each !== undefined; each = free.pop()) {
    taken += 1;
    for (let edge = firstEdge[each]!; edge < firstEdge[each + 1]!; edge += 1) {
      const target = to[edge]!;
      leadingIn[target]! -= 1;
      if (leadingIn[target] === 0) free.push(target);
    }
  }
  return taken === count ? undefined : leadingIn.findIndex((left) => left > 0);
}
