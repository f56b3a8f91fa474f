import { startTimer, type Timer } from "../base/deadline.ts";
import type { BrokerLimits } from "../lifecycle/start-protocol.ts";
import type { Ending } from "./ending.ts";

export interface Work {
  readonly sessions: number;
  readonly turns: number;
}

/** When a broker that nobody stops or replaces ends by itself. Never while a turn runs. */
export class Lifespan {
  readonly #limits: BrokerLimits;
  readonly #work: () => Work;
  readonly #onOver: (ending: Ending) => void;
  #serving = false;
  #idleTimer: Timer | undefined;
  #ageTimer: Timer | undefined;
  /** Why it is to end as soon as no turn runs. */
  #over: Pick<Ending, "reason" | "wear"> | undefined;

  constructor(limits: BrokerLimits, work: () => Work, onOver: (ending: Ending) => void) {
    this.#limits = limits;
    this.#work = work;
    this.#onOver = onOver;
  }

  begin(): void {
    this.#serving = true;
    const { maxAgeMs } = this.#limits;
    if (maxAgeMs > 0) {
      const overAge = { wear: "age", reason: "over age" } as const;
      this.#ageTimer = startTimer(maxAgeMs, () => this.makeRoom(overAge));
    }
    this.workChanged();
  }

  stop(): void {
    this.#serving = false;
    this.#idleTimer?.stop();
    this.#ageTimer?.stop();
  }

  /** It is to end as soon as no turn runs. */
  makeRoom(why: Pick<Ending, "reason" | "wear">): void {
    this.#over ??= why;
    this.workChanged();
  }

  /** The idle time starts at the end of work, and any work stops it. */
  workChanged(): void {
    this.#idleTimer?.stop();
    if (!this.#serving) return;
    const { sessions, turns } = this.#work();
    if (turns > 0) return;
    // Nobody may come to supersede it; its clients are to go on with a successor.
    if (this.#over !== undefined) return this.#onOver({ ...this.#over, reconnect: true });
    if (sessions > 0) return;
    this.#idleTimer = startTimer(this.#limits.idleTimeoutMs, () =>
      this.#onOver({ reason: "idle" }),
    );
  }
}
