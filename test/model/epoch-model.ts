import {
  AT,
  BROKER,
  FILE,
  State,
  TASK,
  type Counted,
  type Faults,
  type Shape,
} from "./epoch-state.ts";
import type { Model, Step } from "./explorer.ts";

/**
 * What the protocol of `docs/design.md` ("Epochs") does, one entry per decision in it. The tests change
 * one at a time, to show that each is needed and that the model would notice.
 */
export interface Rules {
  /** `link`: the name must be new. The others are what programs without epochs do. */
  readonly claim: "link" | "overwrite" | "remove if stale";
  /** The winner of a claim goes on only if its epoch is the highest. */
  readonly listsAgain: boolean;
  /** A claim that leads to no broker is passed over in the end. */
  readonly passesOverClaims: boolean;
  /** A broker that does not answer is passed over in the end. */
  readonly passesOverSilence: boolean;
  /** Who writes up a failed start first sees whether the file is still its own. */
  readonly checksBeforeWriteUp: boolean;
  /** A broker publishes its record only over its own claim. */
  readonly checksBeforePublishing: boolean;
  readonly stepsDownForHigher: boolean;
  /** A broker also steps down when its file is gone or another's. */
  readonly stepsDownForLostFile: boolean;
  /** `none` is not an epoch protocol's: a fixed name, removed by whoever ends. */
  readonly removesAtEnd: "nothing" | "the newest file";
  /** Whose obituary a successor writes. */
  readonly obituary: "the proven gone" | "any predecessor" | "abandoned claims too";
  /** The current broker looks after its predecessors for as long as it lives. */
  readonly keepsWatching: boolean;
  /** A predecessor is signalled only when it does not answer. */
  readonly signalsOnlySilent: boolean;
  readonly signal: "through a handle" | "by number, after a check" | "by number";
  /** The current broker sees to it that the fixed path leads to it. */
  readonly restoresCurrent: boolean;
  /** Whether waiting ends some day without an event. Off: to see what happens without it. */
  readonly clocks: boolean;
  /** Whether the listing after a claim may lack newer files too. */
  readonly listsAgainLate: boolean;
}

export const PROTOCOL: Rules = {
  claim: "link",
  listsAgain: true,
  passesOverClaims: true,
  passesOverSilence: true,
  checksBeforeWriteUp: true,
  checksBeforePublishing: true,
  stepsDownForHigher: true,
  stepsDownForLostFile: true,
  removesAtEnd: "nothing",
  obituary: "the proven gone",
  keepsWatching: true,
  signalsOnlySilent: true,
  signal: "through a handle",
  restoresCurrent: true,
  clocks: true,
  listsAgainLate: false,
};

export const NO_FAULTS: Faults = {
  crashes: 0,
  sleeps: 0,
  rotations: 0,
  ends: 0,
  resignations: 0,
  reusedPids: 0,
  forgotten: 0,
  wipes: 0,
  lateListings: 0,
};

/** The epoch protocol among some contenders, over some epochs, with some faults. */
export function epochModel(shape: Shape, rules: Rules = PROTOCOL): Model<State> {
  return {
    initial: State.first(shape),
    key: (state) => state.key(),
    steps: (state) => new Steps(state, rules).all(),
    breachOf: (state) => breachOf(state, rules),
    breachAtRest,
  };
}

class Steps {
  readonly #now: State;
  readonly #rules: Rules;
  readonly #steps: Step<State>[] = [];

  constructor(now: State, rules: Rules) {
    this.#now = now;
    this.#rules = rules;
  }

  all(): readonly Step<State>[] {
    const now = this.#now;
    for (let each = 0; each < now.contenders; each += 1) {
      this.#contenderFaults(each);
      if (!now.sleeps(each)) this.#contender(each);
    }
    for (const { owner, epoch } of now.brokers()) {
      if (now.lives(owner, epoch)) {
        this.#brokerFaults(owner, epoch);
        if (!now.brokerSleeps(owner, epoch)) this.#broker(owner, epoch);
      } else if (!now.pidReused(owner, epoch)) {
        this.#fault(
          "reusedPids",
          `a stranger gets the pid of the broker of epoch ${epoch}`,
          (next) => next.reusePid(owner, epoch),
        );
      }
    }
    this.#wipe();
    return this.#steps;
  }

  #due(label: string, change: (next: State) => void, breach?: string): void {
    const next = this.#now.copy();
    change(next);
    this.#steps.push({ label, due: true, next, breach });
  }

  #may(label: string, change: (next: State) => void): void {
    const next = this.#now.copy();
    change(next);
    this.#steps.push({ label, due: false, next });
  }

  #fault(fault: Counted, label: string, change: (next: State) => void): void {
    if (this.#now.left(fault) === 0) return;
    this.#may(label, (next) => {
      next.spend(fault);
      change(next);
    });
  }

  // The contender: `ensure`.

  #contenderFaults(who: number): void {
    const now = this.#now;
    const at = now.at(who);
    if (at === AT.crashed) return;
    this.#fault("crashes", "a contender crashes", (next) => {
      next.move(who, AT.crashed);
      next.setSleeps(who, false);
    });
    if (now.sleeps(who)) {
      this.#may("a contender wakes up", (next) => next.setSleeps(who, false));
    } else if (at !== AT.connected && at !== AT.failed) {
      this.#fault("sleeps", "a contender stops", (next) => next.setSleeps(who, true));
    }
  }

  #contender(who: number): void {
    const now = this.#now;
    const epoch = now.epochOf(who);
    switch (now.at(who)) {
      case AT.looking:
        return this.#looks(who);
      case AT.claiming:
        return this.#claims(who, epoch);
      case AT.unlocked:
        return this.#locks(who, epoch);
      case AT.linked:
        return this.#listsAgain(who, epoch);
      case AT.starting:
        return this.#due(`the claimant of epoch ${epoch} starts a broker`, (next) => {
          next.setPhase(who, epoch, BROKER.launched);
          next.move(who, AT.awaiting, epoch);
        });
      case AT.awaiting:
        return this.#awaits(who, epoch);
      case AT.connected:
        return this.#isConnected(who, epoch);
      case AT.failed:
      case AT.crashed:
        return;
    }
  }

  #looks(who: number): void {
    const now = this.#now;
    this.#sees(who, now.newest, false);
    if (now.lateListings(who) === 0) return;
    for (let epoch = 0; epoch < now.newest; epoch += 1) {
      if (epoch === 0 || now.file(epoch) !== FILE.none) this.#sees(who, epoch, true);
    }
  }

  /** The file of the newest epoch that was listed, and an answer from the endpoint in it. */
  #sees(who: number, epoch: number, late: boolean): void {
    const take = late ? this.#may.bind(this) : this.#due.bind(this);
    const decide = (label: string, change: (next: State) => void): void =>
      take(late ? `${label} (by an old listing)` : label, (next) => {
        change(next);
        if (late) next.spendLateListing(who);
      });
    const supersede = (why: string): void =>
      decide(`a contender sees ${why}`, (next) => next.move(who, AT.claiming, epoch));
    const now = this.#now;
    if (epoch === 0) return supersede("no epoch");
    const holder = now.holder(epoch);
    switch (now.file(epoch)) {
      case FILE.none:
      case FILE.ended:
        return supersede(`that epoch ${epoch} has ended`);
      case FILE.claimed:
        if (now.at(holder) === AT.crashed) {
          return supersede(`that the claimant of epoch ${epoch} is gone`);
        }
        if (this.#rules.clocks && this.#rules.passesOverClaims) {
          supersede(`that the claim of epoch ${epoch} is over the limit`);
        }
        return;
      case FILE.serving:
        if (now.phase(holder, epoch) !== BROKER.serving) {
          return supersede(`that the broker of epoch ${epoch} is gone or drains`);
        }
        if (now.brokerSleeps(holder, epoch)) {
          if (this.#rules.passesOverSilence) supersede(`that epoch ${epoch} does not answer`);
          return;
        }
        decide(`a contender connects to epoch ${epoch}`, (next) =>
          next.move(who, AT.connected, epoch, holder),
        );
        return this.#fault("rotations", `a contender replaces epoch ${epoch}`, (next) => {
          next.move(who, AT.claiming, epoch);
          if (late) next.spendLateListing(who);
        });
    }
  }

  #claims(who: number, seen: number): void {
    const now = this.#now;
    if (this.#rules.claim === "remove if stale" && seen > 0) {
      return this.#due(`a contender removes the stale lock`, (next) => {
        next.write(seen, FILE.none, 0);
        next.move(who, AT.unlocked, seen);
      });
    }
    const epoch = seen + 1;
    // Where the model ends, and the one thing that it cannot express: two tokens of one contender.
    if (epoch > now.epochs || now.phase(who, epoch) !== BROKER.none) {
      return this.#due("a contender runs out of time", (next) => next.move(who, AT.failed));
    }
    if (this.#rules.claim !== "overwrite" && now.file(epoch) !== FILE.none) {
      return this.#due(`a contender finds epoch ${epoch} claimed`, (next) =>
        next.move(who, AT.looking),
      );
    }
    this.#due(`a contender claims epoch ${epoch}`, (next) => {
      next.write(epoch, FILE.claimed, who);
      next.move(who, AT.linked, epoch);
    });
  }

  /** What a lock file is made with after the stale one was removed: exclusively, for what it is worth. */
  #locks(who: number, epoch: number): void {
    if (this.#now.file(epoch) !== FILE.none || this.#now.phase(who, epoch) !== BROKER.none) {
      return this.#due("a contender finds the lock taken", (next) => next.move(who, AT.looking));
    }
    this.#due("a contender takes the lock", (next) => {
      next.write(epoch, FILE.claimed, who);
      next.move(who, AT.linked, epoch);
    });
  }

  #listsAgain(who: number, epoch: number): void {
    const { listsAgain, listsAgainLate } = this.#rules;
    const highest = this.#now.newest === epoch;
    if (highest || !listsAgain || listsAgainLate) {
      this.#due(`the claimant of epoch ${epoch} goes on`, (next) =>
        next.move(who, AT.starting, epoch),
      );
    }
    if (!highest && listsAgain) {
      this.#due(`the claimant of epoch ${epoch} sees a higher one`, (next) =>
        next.move(who, AT.looking),
      );
    }
  }

  #awaits(who: number, epoch: number): void {
    const now = this.#now;
    if (now.published(who, epoch)) {
      return this.#due(`the claimant hears that epoch ${epoch} serves`, (next) =>
        next.move(who, AT.looking),
      );
    }
    if (!now.lives(who, epoch)) {
      const mine = now.says(epoch, FILE.claimed, who);
      const writes = mine || (!this.#rules.checksBeforeWriteUp && now.file(epoch) === FILE.claimed);
      return this.#due(
        `the claimant of epoch ${epoch} hears that its broker ended`,
        (next) => {
          if (writes) next.write(epoch, FILE.ended, who);
          next.move(who, AT.failed);
        },
        writes && !mine ? "a claimant wrote over somebody else's file" : undefined,
      );
    }
    const resign = (next: State): void => next.move(who, AT.failed);
    const label = `the claimant of epoch ${epoch} runs out of time`;
    if (now.brokerSleeps(who, epoch)) this.#due(label, resign);
    else this.#fault("resignations", label, resign);
  }

  #isConnected(who: number, epoch: number): void {
    const owner = this.#now.ownerOf(who);
    if (this.#now.lives(owner, epoch) && !this.#now.brokerSleeps(owner, epoch)) return;
    this.#due(`a client of epoch ${epoch} has lost its broker`, (next) =>
      next.move(who, AT.looking),
    );
  }

  // The broker.

  #brokerFaults(owner: number, epoch: number): void {
    this.#fault("crashes", `the broker of epoch ${epoch} crashes`, (next) =>
      leave(next, owner, epoch),
    );
    if (this.#now.brokerSleeps(owner, epoch)) {
      this.#may(`the broker of epoch ${epoch} wakes up`, (next) =>
        next.setBrokerSleeps(owner, epoch, false),
      );
    } else {
      this.#fault("sleeps", `the broker of epoch ${epoch} stops`, (next) =>
        next.setBrokerSleeps(owner, epoch, true),
      );
    }
  }

  #broker(owner: number, epoch: number): void {
    switch (this.#now.phase(owner, epoch)) {
      case BROKER.launched:
        return this.#due(`the broker of epoch ${epoch} binds its endpoint`, (next) =>
          next.setPhase(owner, epoch, BROKER.bound),
        );
      case BROKER.bound:
        return this.#checks(owner, epoch);
      case BROKER.checked:
        return this.#publishes(owner, epoch);
      case BROKER.serving:
        this.#standsItsGround(owner, epoch);
        return this.#retires(owner, epoch);
      case BROKER.draining:
        this.#ends(owner, epoch);
        return this.#finishesTask(owner, epoch);
      case BROKER.none:
      case BROKER.gone:
        return;
    }
  }

  #checks(owner: number, epoch: number): void {
    const holds = this.#now.says(epoch, FILE.claimed, owner);
    if (holds || !this.#rules.checksBeforePublishing) {
      return this.#due(`the broker of epoch ${epoch} finds its claim`, (next) =>
        next.setPhase(owner, epoch, BROKER.checked),
      );
    }
    this.#due(`the broker of epoch ${epoch} finds its claim gone and ends`, (next) =>
      leave(next, owner, epoch),
    );
  }

  #publishes(owner: number, epoch: number): void {
    this.#due(
      `the broker of epoch ${epoch} publishes its record`,
      (next) => {
        next.write(epoch, FILE.serving, owner);
        next.pointCurrent(owner, epoch);
        next.setPhase(owner, epoch, BROKER.serving);
      },
      this.#now.says(epoch, FILE.claimed, owner)
        ? undefined
        : "a broker wrote over what was not its own claim",
    );
  }

  #standsItsGround(owner: number, epoch: number): void {
    const now = this.#now;
    const { stepsDownForHigher, stepsDownForLostFile, restoresCurrent } = this.#rules;
    const drain = (next: State): void => {
      next.setPhase(owner, epoch, BROKER.draining);
      if (next.currentIs(owner, epoch)) next.pointCurrent(0, 0);
    };
    const lost = stepsDownForLostFile && !now.says(epoch, FILE.serving, owner);
    if (lost || (stepsDownForHigher && now.newest > epoch)) {
      return this.#due(`the broker of epoch ${epoch} steps down`, drain);
    }
    if (restoresCurrent && !now.currentIs(owner, epoch)) {
      this.#due(`the broker of epoch ${epoch} points the fixed path at itself`, (next) =>
        next.pointCurrent(owner, epoch),
      );
    }
    this.#fault("ends", `the broker of epoch ${epoch} is idle`, drain);
  }

  #ends(owner: number, epoch: number): void {
    const now = this.#now;
    const removes = this.#rules.removesAtEnd === "the newest file" ? now.newest : 0;
    this.#due(
      `the broker of epoch ${epoch} ends`,
      (next) => {
        if (next.says(epoch, FILE.serving, owner)) next.write(epoch, FILE.ended, owner);
        if (removes > 0) next.write(removes, FILE.none, 0);
        leave(next, owner, epoch);
      },
      removes === 0 || (removes === epoch && now.holder(epoch) === owner)
        ? undefined
        : "a broker removed what is its successor's",
    );
  }

  // The current broker and its predecessors: `retire`.

  #retires(owner: number, epoch: number): void {
    const now = this.#now;
    if (now.task(owner, epoch).task !== TASK.none) return this.#finishesTask(owner, epoch);
    if (now.looksAway(owner, epoch)) return;
    let left = false;
    for (let older = 1; older < epoch; older += 1) {
      if (this.#attends(owner, epoch, older)) left = true;
      if (now.file(older) === FILE.ended) {
        this.#fault("forgotten", `the obituary of epoch ${older} is cleared away`, (next) =>
          next.write(older, FILE.none, 0),
        );
      }
    }
    if (left || this.#rules.keepsWatching || epoch === 1) return;
    this.#due(`epoch ${epoch} has no predecessor left to watch`, (next) =>
      next.lookAway(owner, epoch),
    );
  }

  /** @returns whether there is somebody to be watched. */
  #attends(owner: number, epoch: number, older: number): boolean {
    const now = this.#now;
    const target = now.holder(older);
    const resolve = (
      label: string,
      task: Exclude<keyof typeof TASK, "none">,
      breach?: string,
    ): void =>
      this.#due(label, (next) => next.setTask(owner, epoch, TASK[task], older, target), breach);
    switch (now.file(older)) {
      case FILE.none:
      case FILE.ended:
        return false;
      case FILE.claimed:
        if (this.#rules.obituary === "the proven gone") return false;
        if (this.#rules.obituary === "abandoned claims too" && now.at(target) !== AT.crashed) {
          return false;
        }
        resolve(`epoch ${epoch} finds the claimant of epoch ${older} gone`, "bury");
        return true;
      case FILE.serving:
        if (!now.lives(target, older) || this.#rules.obituary === "any predecessor") {
          resolve(`epoch ${epoch} proves the broker of epoch ${older} gone`, "bury");
        }
        if (this.#mayBeSignalled(target, older)) {
          const answers = !now.brokerSleeps(target, older) && now.lives(target, older);
          resolve(
            `epoch ${epoch} identifies the silent broker of epoch ${older}`,
            "signal",
            answers ? "a broker that answers was taken for a silent one" : undefined,
          );
        }
        return true;
    }
  }

  #mayBeSignalled(owner: number, epoch: number): boolean {
    if (!this.#now.lives(owner, epoch)) {
      // Without a proof, whoever has the pid now is taken for the broker.
      return this.#rules.signal === "by number" && this.#now.pidReused(owner, epoch);
    }
    return this.#now.brokerSleeps(owner, epoch) || !this.#rules.signalsOnlySilent;
  }

  #finishesTask(owner: number, epoch: number): void {
    const task = this.#now.task(owner, epoch);
    if (task.task === TASK.bury) this.#buries(owner, epoch, task);
    if (task.task === TASK.signal) this.#signals(owner, epoch, task);
  }

  #buries(owner: number, epoch: number, target: { epoch: number; owner: number }): void {
    const now = this.#now;
    // Whoever stands in the file now, or is about to put itself there.
    const holder = now.holder(target.epoch);
    const living = now.file(target.epoch) !== FILE.none && now.lives(holder, target.epoch);
    this.#due(
      `epoch ${epoch} writes the obituary of epoch ${target.epoch}`,
      (next) => {
        next.write(target.epoch, FILE.ended, target.owner);
        next.setTask(owner, epoch, TASK.none);
      },
      living ? "an obituary was written for a broker that lives" : undefined,
    );
  }

  #signals(owner: number, epoch: number, target: { epoch: number; owner: number }): void {
    const now = this.#now;
    const stranger = now.pidReused(target.owner, target.epoch);
    const astray = stranger && this.#rules.signal !== "through a handle";
    this.#due(
      `epoch ${epoch} signals the broker of epoch ${target.epoch}`,
      (next) => {
        if (next.lives(target.owner, target.epoch)) leave(next, target.owner, target.epoch);
        next.setTask(owner, epoch, TASK.bury, target.epoch, target.owner);
      },
      astray ? "a stranger was signalled" : undefined,
    );
  }

  /**
   * Somebody empties the state directory. Not between a check and the rename that relies on it: those
   * are microseconds apart, and no file system offers to do both in one.
   */
  #wipe(): void {
    const now = this.#now;
    const between = now
      .brokers()
      .some(
        ({ owner, epoch }) =>
          now.phase(owner, epoch) === BROKER.checked || now.task(owner, epoch).task !== TASK.none,
      );
    if (between || now.newest === 0) return;
    this.#fault("wipes", "somebody removes all epoch files", (next) => {
      for (let epoch = 1; epoch <= next.epochs; epoch += 1) next.write(epoch, FILE.none, 0);
    });
  }
}

function leave(next: State, owner: number, epoch: number): void {
  next.setPhase(owner, epoch, BROKER.gone);
  next.setBrokerSleeps(owner, epoch, false);
  next.setTask(owner, epoch, TASK.none);
}

function breachOf(state: State, rules: Rules): string | undefined {
  // Whoever removes the files also removes what numbers are counted by; tokens still tell brokers apart.
  if (state.wiped) return undefined;
  for (let epoch = 1; epoch <= state.epochs; epoch += 1) {
    let started = 0;
    let living = 0;
    for (let owner = 0; owner < state.contenders; owner += 1) {
      if (state.phase(owner, epoch) !== BROKER.none) started += 1;
      if (state.lives(owner, epoch)) living += 1;
    }
    if (living > 1) return "two brokers live in one epoch";
    if (started > 1 && !rules.listsAgainLate) return "two brokers were started for one epoch";
  }
  return undefined;
}

function breachAtRest(state: State): string | undefined {
  const { newest } = state;
  const awake = state
    .brokers()
    .filter(({ owner, epoch }) => state.lives(owner, epoch) && !state.brokerSleeps(owner, epoch));
  if (awake.some(({ epoch }) => epoch !== newest)) return "a superseded broker stays";
  if (awake.length > 1) return "two brokers stay";
  const [current] = awake;
  for (let each = 0; each < state.contenders; each += 1) {
    const at = state.at(each);
    if (state.sleeps(each) || at === AT.crashed || at === AT.failed) continue;
    if (at !== AT.connected) return "a contender waits for ever";
    if (state.epochOf(each) !== current?.epoch || state.ownerOf(each) !== current.owner) {
      return "a contender keeps a broker that is not the current one";
    }
  }
  return current === undefined ? undefined : unfinished(state, current);
}

/** What the current broker should have seen to. */
function unfinished(state: State, current: { owner: number; epoch: number }): string | undefined {
  if (!state.currentIs(current.owner, current.epoch)) {
    return "the fixed path does not lead to the current broker";
  }
  for (let epoch = 1; epoch < current.epoch; epoch += 1) {
    if (state.file(epoch) !== FILE.serving) continue;
    return state.lives(state.holder(epoch), epoch)
      ? "a stopped predecessor is never ended"
      : "a predecessor that is gone has no obituary";
  }
  return undefined;
}
