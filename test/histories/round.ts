import { Deadline, pause } from "../../src/base/deadline.ts";
import { isRecord } from "../../src/wire/messages.ts";
import { jobView } from "../client/job-states.ts";
import { livingBrokers } from "../support/stop-brokers.ts";
import { isOutage, lineOf, type History, type Step } from "./history.ts";
import { Ledger } from "./ledger.ts";
import { endBroker } from "./outages.ts";
import { Participant, type Place } from "./participant.ts";
import { RoundWork } from "./round-work.ts";

/** What is over its time by then will never come. */
const SETTLED_WITHIN_MS = 30_000;
const CLEARED_WITHIN_MS = 30_000;

/** Carries out one history, and checks what came of it. Returns everything that was noted. */
export async function runRound(history: History, place: Place): Promise<Ledger> {
  const ledger = new Ledger();
  try {
    await new Round(history, place, ledger).run();
  } catch (error) {
    const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
    ledger.violation(`the round could not be held to its end: ${why}`);
  }
  return ledger;
}

class Round {
  readonly #history: History;
  readonly #place: Place;
  readonly #ledger: Ledger;
  readonly #participants: readonly Participant[];
  readonly #work: RoundWork;
  readonly #underWay = new Set<Promise<void>>();
  #replacing: Promise<unknown> = Promise.resolve();

  constructor(history: History, place: Place, ledger: Ledger) {
    this.#history = history;
    this.#place = place;
    this.#ledger = ledger;
    this.#participants = history.participants.map(
      (kind, number) => new Participant(number, kind, place, ledger),
    );
    this.#work = new RoundWork(history, ledger, this.#participants);
  }

  async run(): Promise<void> {
    await this.#work.prepare(this.#place.world);
    await Promise.all(this.#participants.map((each) => each.session()));
    for (const step of this.#history.steps) {
      await pause(step.afterMs);
      this.#ledger.note(`STEP ${lineOf(step)}`);
      const done = this.#carryOut(step)
        .catch((error: unknown) => {
          this.#ledger.violation(`step ${step.number}, ${step.action}: ${String(error)}`);
        })
        .finally(() => this.#underWay.delete(done));
      this.#underWay.add(done);
    }
    await Promise.all(this.#underWay);
    await this.#settle();
    await this.#judgeJobs();
    for (const watcher of this.#watchers()) watcher.judge();
    await this.#leave();
    await this.#judgeRest();
  }

  async #carryOut(step: Step): Promise<void> {
    const participant = this.#participants[step.participant];
    if (participant === undefined) return;
    if (step.action === "close" || step.action === "kill") {
      await participant.leave(step.action === "kill");
    } else if (step.action === "rotate") {
      await this.#oneByOne(async () => {
        this.#ledger.rotations += 1;
        (await this.#place.world.connect({ replace: true })).close();
      });
    } else if (isOutage(step.action)) {
      const outage = step.action;
      await this.#oneByOne(async () => {
        this.#ledger.outages += 1;
        await endBroker(outage, this.#place);
      });
    } else {
      await this.#work.carryOut(step, participant);
    }
  }

  /** Rotations at one instant are another suite's subject. */
  async #oneByOne(work: () => Promise<void>): Promise<void> {
    const done = this.#replacing.then(work);
    this.#replacing = done.catch(() => {});
    await done;
  }

  /** Waits until every turn has ended for every session that must receive its end. */
  async #settle(): Promise<void> {
    const deadline = Deadline.after(SETTLED_WITHIN_MS);
    const missing = (): string[] =>
      this.#watchers().flatMap((watcher) =>
        watcher
          .missing()
          .map((turnId) => `${watcher.name} never receives the end of turn ${turnId}`),
      );
    while (missing().length > 0 && !deadline.expired) await pause(10);
    for (const what of missing()) this.#ledger.violation(what);
  }

  async #judgeJobs(): Promise<void> {
    const deadline = Deadline.after(SETTLED_WITHIN_MS);
    for (const { job, turnId, threadId } of this.#work.jobs) {
      const facts = this.#ledger.turn(threadId, turnId);
      let view = await jobView(this.#place.world, job);
      while (view?.state === "running" || view?.state === "unconfirmed") {
        if (deadline.expired) break;
        await pause(20);
        view = await jobView(this.#place.world, job);
      }
      const { state = "not there" } = view ?? {};
      this.#ledger.note(`job ${job} is ${state}`);
      if (state === "running" || state === "not there" || state === "unreadable") {
        this.#ledger.violation(`job ${job} on ${threadId} is ${state}`);
      } else if (this.#ledger.outages === 0 && !facts.altered && state !== "completed") {
        this.#ledger.violation(`job ${job} on ${threadId} is ${state}, and nobody cancelled it`);
      }
    }
  }

  async #leave(): Promise<void> {
    for (const watcher of this.#watchers()) if (!watcher.isClosed) watcher.leave(false);
    const deadline = Deadline.after(CLEARED_WITHIN_MS);
    const closed = Promise.all(this.#watchers().map(({ session }) => session.closed));
    await deadline
      .race(closed, () => new Error("a connection does not end"))
      .catch((error: unknown) => this.#ledger.violation(String(error)));
  }

  /** What is left when all have gone: one broker, no turn, no job, no thread, no session but this. */
  async #judgeRest(): Promise<void> {
    const { world } = this.#place;
    const client = await world.connect();
    try {
      const deadline = Deadline.after(CLEARED_WITHIN_MS);
      const left = async (): Promise<string[]> => {
        const { turns, jobs, sessions, threads } = await client.status();
        const loaded: unknown = await client.request("thread/loaded/list", {});
        const ids = isRecord(loaded) && Array.isArray(loaded["data"]) ? loaded["data"] : [];
        const brokers = livingBrokers(world.stateDir);
        return [
          ...turns.map(({ threadId }) => `a turn on ${threadId}`),
          ...jobs.map(({ job }) => `job ${job}`),
          ...sessions.slice(1).map(({ id, client: name }) => `session ${id} of ${name}`),
          ...ids.map((id) => `loaded thread ${String(id)}`),
          ...(threads > 0 ? [`${threads} threads in the broker's books`] : []),
          ...brokers.slice(1).map(({ epoch }) => `the broker of epoch ${epoch}`),
        ];
      };
      let last = await left();
      while (last.length > 0 && !deadline.expired) {
        await pause(50);
        last = await left();
      }
      for (const what of last) this.#ledger.violation(`left behind: ${what}`);
    } finally {
      client.close();
    }
  }

  #watchers() {
    return this.#participants.flatMap(({ watchers }) => watchers);
  }
}
