/** What somebody may do next. */
export interface Step<S> {
  /** In words, for the trace of a breach. */
  readonly label: string;
  /**
   * Whether it is bound to be taken some day if nothing else happens. Faults, and whatever somebody may
   * just as well leave alone, are not.
   */
  readonly due: boolean;
  readonly next: S;
  /** A rule that is broken by the step itself, whatever state it leads to. */
  readonly breach?: string | undefined;
}

/** Something that can be in finitely many states. */
export interface Model<S> {
  readonly initial: S;
  /** Equal for states that need not be told apart. */
  key(state: S): string;
  steps(state: S): readonly Step<S>[];
  /** What must never be, or undefined. */
  breachOf(state: S): string | undefined;
  /** What must not be once nothing is due any more, or undefined. */
  breachAtRest(state: S): string | undefined;
}

export interface Breach<S> {
  readonly what: string;
  readonly state: S;
  /** A shortest way there. */
  readonly trace: readonly string[];
}

export interface Exploration<S> {
  /** Different states that were looked at. All there are, unless there is a breach. */
  readonly states: number;
  readonly steps: number;
  /** States in which nothing is due. */
  readonly atRest: number;
  readonly breach: Breach<S> | undefined;
}

/**
 * Looks at every state that can be reached, nearest first, and stops at the first breach. Without one,
 * it also proves that things come to rest: there is no circle of due steps.
 */
export function explore<S>(model: Model<S>): Exploration<S> {
  const search = new Search(model);
  return search.run();
}

const ENDLESS = "due steps go on in a circle: it may never come to rest";

class Search<S> {
  readonly #model: Model<S>;
  readonly #numbers = new Map<string, number>();
  readonly #states: S[] = [];
  /** From where each state was reached first, and by which step. */
  readonly #parents: number[] = [];
  readonly #labels: string[] = [];
  /** Due steps as pairs of state numbers. */
  readonly #from: number[] = [];
  readonly #to: number[] = [];
  #steps = 0;
  #atRest = 0;

  constructor(model: Model<S>) {
    this.#model = model;
  }

  run(): Exploration<S> {
    this.#number(this.#model.initial, -1, "");
    for (let at = 0; at < this.#states.length; at += 1) {
      const breach = this.#visit(at);
      if (breach !== undefined) return this.#result(breach);
    }
    const circle = stateOnCircle(this.#states.length, this.#from, this.#to);
    return this.#result(circle === undefined ? undefined : this.#breach(ENDLESS, circle));
  }

  #visit(at: number): Breach<S> | undefined {
    const state = this.#states[at]!;
    const wrong = this.#model.breachOf(state);
    if (wrong !== undefined) return this.#breach(wrong, at);
    let due = false;
    for (const step of this.#model.steps(state)) {
      this.#steps += 1;
      if (step.breach !== undefined) {
        const to = this.#number(step.next, at, step.label);
        return this.#breach(step.breach, to);
      }
      const to = this.#number(step.next, at, step.label);
      // Looking without learning anything is waiting, not a step.
      if (!step.due || to === at) continue;
      due = true;
      this.#from.push(at);
      this.#to.push(to);
    }
    if (due) return undefined;
    this.#atRest += 1;
    const left = this.#model.breachAtRest(state);
    return left === undefined ? undefined : this.#breach(left, at);
  }

  #number(state: S, parent: number, label: string): number {
    const key = this.#model.key(state);
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    const number = this.#states.push(state) - 1;
    this.#numbers.set(key, number);
    this.#parents.push(parent);
    this.#labels.push(label);
    return number;
  }

  #breach(what: string, at: number): Breach<S> {
    const trace: string[] = [];
    for (let each = at; each > 0; each = this.#parents[each]!) trace.unshift(this.#labels[each]!);
    return { what, state: this.#states[at]!, trace };
  }

  #result(breach: Breach<S> | undefined): Exploration<S> {
    return { states: this.#states.length, steps: this.#steps, atRest: this.#atRest, breach };
  }
}

/** Takes away, again and again, what no edge leads to. What is left lies on a circle or behind one. */
function stateOnCircle(
  count: number,
  from: readonly number[],
  to: readonly number[],
): number | undefined {
  const leadingIn = new Uint32Array(count);
  const first = new Uint32Array(count + 1);
  for (const each of to) leadingIn[each]! += 1;
  // Edges are in the order of their origin, because states are visited in the order of their numbers.
  for (const each of from) first[each + 1]! += 1;
  for (let each = 0; each < count; each += 1) first[each + 1]! += first[each]!;
  const free: number[] = [];
  for (let each = 0; each < count; each += 1) if (leadingIn[each] === 0) free.push(each);
  let taken = 0;
  for (let each = free.pop(); each !== undefined; each = free.pop()) {
    taken += 1;
    for (let edge = first[each]!; edge < first[each + 1]!; edge += 1) {
      const target = to[edge]!;
      leadingIn[target]! -= 1;
      if (leadingIn[target] === 0) free.push(target);
    }
  }
  if (taken === count) return undefined;
  return leadingIn.findIndex((left) => left > 0);
}
