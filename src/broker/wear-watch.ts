import type { AppServerChild } from "../app-server/child.ts";
import { monotonicMs } from "../base/deadline.ts";
import type { Figures } from "../base/figures.ts";
import type { Usage } from "../base/usage.ts";
import { trace } from "../base/trace.ts";
import { listEpochs, readEpoch, type Wear } from "../lifecycle/epoch-file.ts";
import type { StartOrder } from "../lifecycle/start-protocol.ts";
import { livenessOf } from "../os/process-identity.ts";
import { Tally } from "./tally.ts";
import { TurnOutcomes, type TurnOutcome } from "./turn-outcome.ts";
import { takeUsage } from "./usage.ts";
import { UsageWatch } from "./usage-watch.ts";
import { isWorthASuccessor, overBudget, worksInVain, type WornOut } from "./wear.ts";

/** Watches what the broker uses and how its turns end, keeps the figures of both, and says when it is worn out. */
export class WearWatch {
  /** Hears what the app-server says of threads. */
  readonly outcomes = new TurnOutcomes(
    () => this.#tally.turnStarted(),
    (outcome) => this.#turnEnded(outcome),
  );
  readonly #order: StartOrder;
  readonly #turnsRun: () => boolean;
  readonly #onWornOut: (worn: WornOut) => void;
  readonly #startedAt = monotonicMs();
  readonly #tally = new Tally();
  readonly #usage: UsageWatch;
  #child: AppServerChild | undefined;
  #failuresInARow = 0;
  #everReached = false;

  constructor(order: StartOrder, turnsRun: () => boolean, onWornOut: (worn: WornOut) => void) {
    this.#order = order;
    this.#turnsRun = turnsRun;
    this.#onWornOut = onWornOut;
    this.#usage = new UsageWatch(
      () => takeUsage(this.#child),
      turnsRun,
      (usage) => this.#seen(usage),
    );
  }

  /** The app-server has answered for the first time. */
  begin(child: AppServerChild, firstAnswerMs: number): void {
    this.#child = child;
    this.#tally.firstAnswer(firstAnswerMs);
    this.#usage.begin();
  }

  stop(): void {
    this.#usage.stop();
  }

  sessionOpened(): void {
    this.#tally.sessionOpened();
  }

  /** A turn may have begun or ended. */
  workChanged(): void {
    this.#usage.workChanged();
  }

  usage(): Usage {
    return this.#usage.current();
  }

  figures(): Figures {
    return this.#tally.figures();
  }

  get #ageMs(): number {
    return monotonicMs() - this.#startedAt;
  }

  #seen(usage: Usage): void {
    this.#tally.used(usage, this.#ageMs);
    // What a running turn needs says nothing of what is left when it has ended.
    if (this.#turnsRun() || overBudget(usage, this.#order.limits) === undefined) return;
    void this.#judgeAgain();
  }

  /** What belongs to a broker that a command has just started may have been counted. */
  async #judgeAgain(): Promise<void> {
    await this.#child?.descendants.refresh();
    if (this.#turnsRun()) return;
    this.#judge(overBudget(takeUsage(this.#child), this.#order.limits));
  }

  #turnEnded(outcome: TurnOutcome): void {
    this.#tally.turnEnded(outcome, this.#ageMs);
    const { status } = outcome;
    if (status === "interrupted" || status === "lost") return;
    if (status === "completed") this.#everReached = true;
    const failed = status === "failed" && outcome.transport;
    this.#failuresInARow = failed ? this.#failuresInARow + 1 : 0;
    if (failed) this.#judge(worksInVain(this.#failuresInARow, this.#order.limits));
  }

  #judge(worn: WornOut | undefined): void {
    const { minWearAgeMs } = this.#order.limits;
    const ageMs = this.#ageMs;
    if (worn === undefined || ageMs < minWearAgeMs) return;
    const predecessors = this.#predecessors();
    if (predecessors === undefined) return;
    const life = { ageMs, everReached: this.#everReached, predecessors };
    if (isWorthASuccessor(worn, life, minWearAgeMs)) this.#onWornOut(worn);
    else trace("info", "broker.wornOut", { ...worn, ...life });
  }

  /**
   * What wore them out, the newest first, as far back as it matters. Undefined while one still drains:
   * they make room one after the other.
   */
  #predecessors(): Array<Wear | undefined> | undefined {
    const { claim, scope } = this.#order;
    const wears: Array<Wear | undefined> = [];
    for (const epoch of listEpochs(scope.directory)) {
      if (epoch >= claim.epoch) continue;
      const reading = readEpoch(scope.directory, epoch);
      const record = reading?.state === "read" ? reading.record : undefined;
      if (record?.state === "serving" && livenessOf(record.broker) === "alive") return undefined;
      const wear = record?.state === "ended" ? record.wear : undefined;
      wears.push(wear);
      if (wear === undefined) break;
    }
    return wears;
  }
}
