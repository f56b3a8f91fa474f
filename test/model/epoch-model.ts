import {
  AT,
  BROKER,
  FILE,
  State,
  TASK,
  type At,
  type Counted,
  type Faults,
  type Shape,
  type Task,
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
  /** Once the writer is proven gone, a successor reads the file again: it may have had a last word. */
  readonly readsAfterProof: boolean;
  /** The current broker looks after its predecessors for as long as it lives. */
  readonly keepsWatching: boolean;
  /** A predecessor is signalled only when it does not answer. */
  readonly signalsOnlySilent: boolean;
  readonly signal: "through a handle" | "by number, after a check" | "by number";
  /** The current broker sees to it that the fixed path leads to it. */
  readonly restoresCurrent: boolean;
  /** What a contender makes of a broker that answers that it is full, and of an error of its own. */
  readonly rejection: Unproven;
  readonly ownError: Unproven;
  /** A contender passes over a broker of another host because it cannot be reached. */
  readonly supersedesOtherHosts: boolean;
  /** A successor takes a predecessor of another host, which it cannot reach, for a silent one. */
  readonly endsOtherHosts: boolean;
  /** Whoever asks for a new broker asks for one of a later epoch, and asks once. */
  readonly asksOnce: boolean;
  /** Replacements over a disagreement come to a pause. */
  readonly backsOff: boolean;
  /** Whether waiting ends some day without an event. Off: to see what happens without it. */
  readonly clocks: boolean;
  /** Whether the listing after a claim may lack newer files too. */
  readonly listsAgainLate: boolean;
}

/** How something is taken that proves nothing against a broker. */
type Unproven = "as it is" | "for a refusal" | "for silence";

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
  readsAfterProof: true,
  keepsWatching: true,
  signalsOnlySilent: true,
  signal: "through a handle",
  restoresCurrent: true,
  rejection: "as it is",
  ownError: "as it is",
  supersedesOtherHosts: false,
  endsOtherHosts: false,
  asksOnce: true,
  backsOff: true,
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
  rejections: 0,
  ownErrors: 0,
  replacements: 0,
};

/** The epoch protocol among some contenders, over some epochs, with some faults. */
export function epochModel(shape: Shape, rules: Rules = PROTOCOL): Model<State> {
  return {
    initial: State.first(shape),
    encode: (state) => state.encode(),
    decode: (bytes) => State.decode(shape, bytes),
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
      for (let epoch = 1; epoch <= now.epochs; epoch += 1) {
        if (now.lives(each, epoch)) this.#broker(each, epoch);
        else if (now.phase(each, epoch) === BROKER.gone) this.#pid(each, epoch);
      }
    }
    this.#wipe();
    return this.#steps;
  }

  #due(label: string, epoch: number, change: (next: State) => void, breach?: string): void {
    const next = this.#now.copy();
    change(next);
    this.#steps.push({ label, epoch, due: true, next, breach });
  }

  #may(label: string, epoch: number, change: (next: State) => void, breach?: string): void {
    const next = this.#now.copy();
    change(next);
    this.#steps.push({ label, epoch, due: false, next, breach });
  }

  #fault(
    fault: Counted,
    label: string,
    epoch: number,
    change: (next: State) => void,
    breach?: string,
  ): void {
    if (this.#now.left(fault) === 0) return;
    const spend = (next: State): void => {
      next.spend(fault);
      change(next);
    };
    this.#may(label, epoch, spend, breach);
  }

  // The contender: `ensure`.

  #contenderFaults(who: number): void {
    const now = this.#now;
    const at = now.at(who);
    if (at === AT.crashed) return;
    this.#fault("crashes", "a contender crashes", 0, (next) => {
      next.move(who, AT.crashed);
      next.setSleeps(who, false);
    });
    if (now.sleeps(who)) {
      this.#may("a contender wakes up", 0, (next) => next.setSleeps(who, false));
    } else if (at !== AT.connected && at !== AT.failed) {
      this.#fault("sleeps", "a contender stops", 0, (next) => next.setSleeps(who, true));
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
        return this.#due("the claimant starts a broker", epoch, (next) => {
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
    const { newest } = now;
    this.#sees(who, newest, false);
    if (now.left("lateListings") === 0) return;
    for (let epoch = 0; epoch < newest; epoch += 1) {
      if (epoch === 0 || now.file(epoch) !== FILE.none) this.#sees(who, epoch, true);
    }
  }

  /** Reads the file of the newest epoch that was listed, and asks the endpoint that stands in it. */
  #sees(who: number, epoch: number, late: boolean): void {
    const now = this.#now;
    const decide = (label: string, change: (next: State) => void): void => {
      if (!late) return this.#due(label, epoch, change);
      this.#may(`by an old listing, ${label}`, epoch, (next) => {
        next.spend("lateListings");
        change(next);
      });
    };
    const supersede = (label: string): void =>
      decide(label, (next) => next.move(who, AT.claiming, epoch));
    if (epoch === 0) return supersede("a contender sees no epoch at all");
    const holder = now.holder(epoch);
    switch (now.file(epoch)) {
      case FILE.none:
      case FILE.ended:
      case FILE.buried:
        return supersede("a contender sees an obituary");
      case FILE.claimed:
        // Nobody of another host can be proven gone.
        if (now.at(holder) === AT.crashed && !now.areApart(who, holder)) {
          return supersede("a contender sees the claimant gone");
        }
        if (this.#rules.clocks && this.#rules.passesOverClaims) {
          supersede("a contender sees a claim that is over the limit");
        }
        return;
      case FILE.serving:
        if (now.areApart(who, holder)) return this.#seesOtherHost(who, epoch, late);
        if (now.phase(holder, epoch) !== BROKER.serving) {
          return supersede("a contender finds the broker gone or draining");
        }
        if (now.brokerSleeps(holder, epoch)) {
          if (this.#rules.passesOverSilence) supersede("a contender gets no answer");
          return;
        }
        if (epoch <= (now.newerThan(who) ?? 0)) {
          return supersede("a contender wants a newer broker");
        }
        if (now.disagree && holder !== who) return this.#disagrees(who, epoch);
        decide("a contender connects", (next) => {
          next.move(who, AT.connected, epoch, holder);
          if (this.#rules.asksOnce) next.setNewerThan(who, undefined);
        });
        if (late) return;
        this.#isRejected(who, epoch, "rejections", "a broker that is full rejects a contender");
        this.#isRejected(who, epoch, "ownErrors", "a contender has nothing left to connect with");
        if (now.newerThan(who) !== undefined) return;
        return this.#fault("rotations", "a contender is to replace the broker", epoch, (next) =>
          next.setNewerThan(who, epoch),
        );
    }
  }

  /** The endpoint of another host's broker refuses here, whatever that broker does. */
  #seesOtherHost(who: number, epoch: number, late: boolean): void {
    if (late) return;
    if (this.#rules.supersedesOtherHosts) {
      return this.#due(
        "a contender takes the broker of another host for gone",
        epoch,
        (next) => next.move(who, AT.claiming, epoch),
        this.#breachOfPassingOver(epoch),
      );
    }
    this.#due("a contender cannot reach the broker of another host", epoch, (next) =>
      next.move(who, AT.failed),
    );
  }

  #isRejected(who: number, epoch: number, fault: "rejections" | "ownErrors", label: string): void {
    const taken = this.#rules[fault === "rejections" ? "rejection" : "ownError"];
    if (taken !== "for a refusal") {
      return this.#fault(fault, label, epoch, (next) => next.move(who, AT.failed));
    }
    const pass = (next: State): void => next.move(who, AT.claiming, epoch);
    this.#fault(fault, label, epoch, pass, this.#breachOfPassingOver(epoch));
  }

  #breachOfPassingOver(epoch: number): string | undefined {
    const holder = this.#now.holder(epoch);
    const works =
      this.#now.phase(holder, epoch) === BROKER.serving && !this.#now.brokerSleeps(holder, epoch);
    return works ? "a broker was superseded without proof" : undefined;
  }

  /** To each of two that disagree, the broker of the other one looks out of date. */
  #disagrees(who: number, epoch: number): void {
    const isPause = this.#now.left("replacements") === 0;
    if (isPause && this.#rules.backsOff) {
      return this.#due("a contender is told to pause", epoch, (next) => next.move(who, AT.failed));
    }
    this.#due(
      "a contender takes the broker for out of date",
      epoch,
      (next) => {
        if (!isPause) next.spend("replacements");
        next.move(who, AT.claiming, epoch);
      },
      isPause ? "brokers replace each other without a pause" : undefined,
    );
  }

  #claims(who: number, seen: number): void {
    const now = this.#now;
    if (this.#rules.claim === "remove if stale" && seen > 0) {
      return this.#due("a contender removes the stale lock", seen, (next) => {
        next.write(seen, FILE.none, 0);
        next.move(who, AT.unlocked, seen);
      });
    }
    const epoch = seen + 1;
    // Where the model ends, and the one thing it has no words for: two tokens of one contender.
    if (epoch > now.epochs || now.phase(who, epoch) !== BROKER.none) {
      return this.#due("a contender runs out of time", 0, (next) => next.move(who, AT.failed));
    }
    if (this.#rules.claim !== "overwrite" && now.file(epoch) !== FILE.none) {
      return this.#due("a contender finds the epoch claimed already", epoch, (next) =>
        next.move(who, AT.looking),
      );
    }
    this.#due("a contender claims the epoch", epoch, (next) => {
      next.write(epoch, FILE.claimed, who);
      next.move(who, AT.linked, epoch);
    });
  }

  /** How a lock file is made once the stale one is removed: exclusively, for what that is worth then. */
  #locks(who: number, epoch: number): void {
    if (this.#now.file(epoch) !== FILE.none || this.#now.phase(who, epoch) !== BROKER.none) {
      return this.#due("a contender finds the lock taken", epoch, (next) =>
        next.move(who, AT.looking),
      );
    }
    this.#due("a contender takes the lock", epoch, (next) => {
      next.write(epoch, FILE.claimed, who);
      next.move(who, AT.linked, epoch);
    });
  }

  #listsAgain(who: number, epoch: number): void {
    const { listsAgain, listsAgainLate } = this.#rules;
    const highest = this.#now.newest === epoch;
    if (highest || !listsAgain || listsAgainLate) {
      this.#due("the claimant goes on", epoch, (next) => next.move(who, AT.starting, epoch));
    }
    if (!highest && listsAgain) {
      this.#due("the claimant sees a higher epoch", epoch, (next) => next.move(who, AT.looking));
    }
  }

  #awaits(who: number, epoch: number): void {
    const now = this.#now;
    if (now.published(who, epoch)) {
      return this.#due("the claimant hears that its broker serves", epoch, (next) =>
        next.move(who, AT.looking),
      );
    }
    if (!now.lives(who, epoch)) {
      // One that was killed is worth another try; one that could not start is the answer.
      this.#writesUp(who, epoch, "the claimant hears that its broker was killed", AT.looking);
      return this.#writesUp(who, epoch, "the claimant hears that its broker failed", AT.failed);
    }
    const label = "the claimant runs out of time";
    const resign = (next: State): void => next.move(who, AT.failed);
    if (now.brokerSleeps(who, epoch)) this.#due(label, epoch, resign);
    else this.#fault("resignations", label, epoch, resign);
  }

  #writesUp(who: number, epoch: number, label: string, at: At): void {
    const now = this.#now;
    const mine = now.says(epoch, FILE.claimed, who);
    const writes = mine || (!this.#rules.checksBeforeWriteUp && now.file(epoch) === FILE.claimed);
    this.#due(
      label,
      epoch,
      (next) => {
        if (writes) next.write(epoch, FILE.ended, who);
        next.move(who, at);
      },
      writes && !mine ? "a claimant wrote over somebody else's file" : undefined,
    );
  }

  #isConnected(who: number, epoch: number): void {
    const owner = this.#now.ownerOf(who);
    if (this.#now.lives(owner, epoch) && !this.#now.brokerSleeps(owner, epoch)) return;
    this.#due("a client loses its broker", epoch, (next) => {
      next.move(who, AT.looking);
      // What is asked for in every round is a broker newer than whichever is there.
      if (next.newerThan(who) !== undefined) next.setNewerThan(who, next.newest);
    });
  }

  // The broker.

  #broker(owner: number, epoch: number): void {
    const now = this.#now;
    this.#fault("crashes", "the broker crashes", epoch, (next) => leave(next, owner, epoch));
    if (now.brokerSleeps(owner, epoch)) {
      return this.#may("the broker wakes up", epoch, (next) =>
        next.setBrokerSleeps(owner, epoch, false),
      );
    }
    this.#fault("sleeps", "the broker stops", epoch, (next) =>
      next.setBrokerSleeps(owner, epoch, true),
    );
    switch (now.phase(owner, epoch)) {
      case BROKER.launched:
        return this.#binds(owner, epoch);
      case BROKER.checked:
        return this.#publishes(owner, epoch);
      case BROKER.serving:
        this.#standsItsGround(owner, epoch);
        return this.#retires(owner, epoch);
      case BROKER.draining:
        this.#ends(owner, epoch);
        return this.#finishesTask(owner, epoch);
      case BROKER.ended:
        return this.#due("the broker exits", epoch, (next) => leave(next, owner, epoch));
      case BROKER.none:
      case BROKER.gone:
        return;
    }
  }

  #binds(owner: number, epoch: number): void {
    const holds = this.#now.says(epoch, FILE.claimed, owner);
    if (holds || !this.#rules.checksBeforePublishing) {
      return this.#due("the broker binds its endpoint and finds its claim", epoch, (next) =>
        next.setPhase(owner, epoch, BROKER.checked),
      );
    }
    this.#due("the broker finds that its claim is gone, and ends", epoch, (next) =>
      leave(next, owner, epoch),
    );
  }

  #publishes(owner: number, epoch: number): void {
    this.#due(
      "the broker publishes its record",
      epoch,
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
      return this.#due("the broker steps down", epoch, drain);
    }
    if (restoresCurrent && !now.currentIs(owner, epoch)) {
      this.#due("the broker points the fixed path at itself", epoch, (next) =>
        next.pointCurrent(owner, epoch),
      );
    }
    this.#fault("ends", "the broker ends of its own accord", epoch, drain);
  }

  #ends(owner: number, epoch: number): void {
    const now = this.#now;
    const removes = this.#rules.removesAtEnd === "the newest file" ? now.newest : 0;
    this.#due(
      "the broker writes its obituary",
      epoch,
      (next) => {
        if (next.says(epoch, FILE.serving, owner)) next.write(epoch, FILE.ended, owner);
        if (removes > 0) next.write(removes, FILE.none, 0);
        next.setPhase(owner, epoch, BROKER.ended);
        next.setTask(owner, epoch, TASK.none);
      },
      removes === 0 || (removes === epoch && now.holder(epoch) === owner)
        ? undefined
        : "a broker removed what is its successor's",
    );
  }

  // The current broker and its predecessors: `retire`.

  #retires(owner: number, epoch: number): void {
    const now = this.#now;
    if (now.task(owner, epoch) !== TASK.none) return this.#finishesTask(owner, epoch);
    if (now.looksAway(owner, epoch)) return;
    let left = false;
    for (let older = 1; older < epoch; older += 1) {
      if (this.#attends(owner, epoch, older)) left = true;
      if (now.file(older) === FILE.ended || now.file(older) === FILE.buried) {
        this.#fault("forgotten", "an obituary is cleared away", older, (next) =>
          next.write(older, FILE.none, 0),
        );
      }
    }
    if (left || this.#rules.keepsWatching || epoch === 1) return;
    this.#due("the broker sees no predecessor left to watch", epoch, (next) =>
      next.lookAway(owner, epoch),
    );
  }

  /** @returns whether there is somebody to be watched. */
  #attends(owner: number, epoch: number, older: number): boolean {
    const now = this.#now;
    const target = now.holder(older);
    const { obituary } = this.#rules;
    if (now.areApart(owner, target)) return this.#attendsOtherHost(owner, epoch, older);
    switch (now.file(older)) {
      case FILE.none:
      case FILE.ended:
      case FILE.buried:
        return false;
      case FILE.claimed:
        // A broker may still come of it, and nobody can prove that one who is named nowhere is gone.
        if (obituary === "the proven gone") return false;
        if (obituary === "abandoned claims too" && now.at(target) !== AT.crashed) return false;
        this.#due("a successor finds the claimant gone", older, (next) =>
          next.setTask(owner, epoch, TASK.bury, older, target),
        );
        return true;
      case FILE.serving:
        // To look at one that answers changes nothing, so the model leaves it out.
        if (now.lives(target, older) && !now.brokerSleeps(target, older)) {
          this.#mistakes(owner, epoch, older);
          if (this.#rules.signalsOnlySilent && obituary !== "any predecessor") return true;
        }
        this.#due("a successor reads the record", older, (next) =>
          next.setTask(owner, epoch, TASK.prove, older, target),
        );
        return true;
    }
  }

  /** Nothing can be proven about it from here, so there is nothing to be done about it. */
  #attendsOtherHost(owner: number, epoch: number, older: number): boolean {
    const now = this.#now;
    if (now.file(older) === FILE.serving && this.#rules.endsOtherHosts) {
      const target = now.holder(older);
      this.#due(
        "a successor takes a broker of another host for a silent one",
        older,
        (next) => next.setTask(owner, epoch, TASK.signal, older, target),
        "a process was signalled that was not identified",
      );
    }
    return false;
  }

  /** A predecessor that answers that it is full, or that cannot be asked, may be taken for a silent one. */
  #mistakes(owner: number, epoch: number, older: number): void {
    const target = this.#now.holder(older);
    for (const fault of ["rejections", "ownErrors"] as const) {
      const taken = this.#rules[fault === "rejections" ? "rejection" : "ownError"];
      if (taken !== "for silence") continue;
      this.#fault(
        fault,
        "a successor takes a broker that runs for a silent one",
        older,
        (next) => next.setTask(owner, epoch, TASK.signal, older, target),
        "a broker that answers was taken for a silent one",
      );
    }
  }

  /** Takes a look at the process, through a handle that was opened before: what follows hits it or nobody. */
  #proves(owner: number, epoch: number): void {
    const now = this.#now;
    const older = now.taskEpoch(owner, epoch);
    const target = now.taskOwner(owner, epoch);
    const { obituary, readsAfterProof, signal, signalsOnlySilent } = this.#rules;
    const decide = (label: string, task: Task, breach?: string): void =>
      this.#due(
        label,
        older,
        (next) =>
          task === TASK.none
            ? next.setTask(owner, epoch, task)
            : next.setTask(owner, epoch, task, older, target),
        breach,
      );
    if (!now.lives(target, older) || obituary === "any predecessor") {
      // Without a check, whoever bears the pid now passes for the broker.
      if (signal === "by number" && now.pidReused(target, older)) {
        return decide("a successor takes a stranger for the broker", TASK.signal);
      }
      const hadLastWord = readsAfterProof && !now.says(older, FILE.serving, target);
      return decide("a successor finds the broker gone", hadLastWord ? TASK.none : TASK.bury);
    }
    if (now.brokerSleeps(target, older)) {
      return decide("a successor identifies the silent broker", TASK.signal);
    }
    if (signalsOnlySilent) return decide("a successor gets an answer", TASK.none);
    decide(
      "a successor has no patience with the broker",
      TASK.signal,
      "a broker that answers was taken for a silent one",
    );
  }

  #finishesTask(owner: number, epoch: number): void {
    switch (this.#now.task(owner, epoch)) {
      case TASK.none:
        return;
      case TASK.prove:
        return this.#proves(owner, epoch);
      case TASK.bury:
        return this.#buries(owner, epoch);
      case TASK.signal:
        return this.#signals(owner, epoch);
    }
  }

  #buries(owner: number, epoch: number): void {
    const older = this.#now.taskEpoch(owner, epoch);
    const target = this.#now.taskOwner(owner, epoch);
    this.#due(
      "a successor writes the obituary",
      older,
      (next) => {
        next.write(older, FILE.buried, target);
        next.setTask(owner, epoch, TASK.none);
      },
      this.#breachOfBurying(older),
    );
  }

  #breachOfBurying(epoch: number): string | undefined {
    const now = this.#now;
    // Whoever stands in the file now, or is about to put itself there.
    const holder = now.holder(epoch);
    if (now.file(epoch) === FILE.ended) return "a last word was written over";
    if (now.file(epoch) === FILE.none || !now.writes(holder, epoch)) return undefined;
    return "an obituary was written for a broker that lives";
  }

  #signals(owner: number, epoch: number): void {
    const now = this.#now;
    const older = now.taskEpoch(owner, epoch);
    const target = now.taskOwner(owner, epoch);
    const astray = now.pidReused(target, older) && this.#rules.signal !== "through a handle";
    this.#due(
      "a successor signals the broker",
      older,
      (next) => {
        if (next.lives(target, older)) leave(next, target, older);
        // Which then finds it gone, and what it wrote.
        next.setTask(owner, epoch, TASK.prove, older, target);
      },
      astray ? "a stranger was signalled" : undefined,
    );
  }

  // The world around them.

  /** Only where it can matter: a file or a task still names the pid. */
  #pid(owner: number, epoch: number): void {
    const now = this.#now;
    if (now.left("reusedPids") === 0 || now.pidReused(owner, epoch)) return;
    if (!now.says(epoch, FILE.serving, owner)) return;
    this.#fault("reusedPids", "a stranger gets the pid of the broker", epoch, (next) =>
      next.reusePid(owner, epoch),
    );
  }

  /**
   * Somebody empties the state directory. Not between a check and the rename that relies on it: those
   * are microseconds apart, and no file system offers to do both in one.
   */
  #wipe(): void {
    const now = this.#now;
    if (now.left("wipes") === 0 || now.newest === 0) return;
    for (let owner = 0; owner < now.contenders; owner += 1) {
      for (let epoch = 1; epoch <= now.epochs; epoch += 1) {
        if (now.phase(owner, epoch) === BROKER.checked) return;
        if (now.task(owner, epoch) !== TASK.none) return;
      }
    }
    this.#fault("wipes", "somebody removes all epoch files", 0, (next) => {
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
      if (state.writes(owner, epoch)) living += 1;
    }
    if (living > 1) return "two brokers live in one epoch";
    if (started > 1 && !rules.listsAgainLate) return "two brokers were started for one epoch";
  }
  return undefined;
}

function breachAtRest(state: State): string | undefined {
  const { newest } = state;
  let current: Named | undefined;
  for (let owner = 0; owner < state.contenders; owner += 1) {
    for (let epoch = 1; epoch <= state.epochs; epoch += 1) {
      if (!state.lives(owner, epoch) || state.brokerSleeps(owner, epoch)) continue;
      if (epoch !== newest) return "a superseded broker stays";
      if (current !== undefined) return "two brokers stay";
      current = { owner, epoch };
    }
  }
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

interface Named {
  readonly owner: number;
  readonly epoch: number;
}

/** What the current broker should have seen to. */
function unfinished(state: State, current: Named): string | undefined {
  if (!state.currentIs(current.owner, current.epoch)) {
    return "the fixed path does not lead to the current broker";
  }
  for (let epoch = 1; epoch < current.epoch; epoch += 1) {
    if (state.file(epoch) !== FILE.serving) continue;
    if (state.areApart(state.holder(epoch), current.owner)) continue;
    return state.lives(state.holder(epoch), epoch)
      ? "a stopped predecessor is never ended"
      : "a predecessor that is gone has no obituary";
  }
  return undefined;
}
