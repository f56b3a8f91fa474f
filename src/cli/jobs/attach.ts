import type { v2 } from "../../app-server/generated/index.ts";
import { messageOf } from "../../base/errors.ts";
import { attachToJob, type Attached, type AttachOptions } from "../../client/job-attach.ts";
import type { JobView } from "../../client/job-list.ts";
import type { TurnEvent } from "../../client/turn-event.ts";
import type { JobEntry } from "../../jobs/job-entry.ts";
import type { Person } from "../ask/person.ts";
import { personAtTerminal } from "../ask/person-at-terminal.ts";
import { err, out } from "../output/output.ts";
import type { Answered } from "../run/approvals.ts";
import { chooseReporter } from "../run/choose-reporter.ts";
import { Interruption } from "../run/interruption.ts";
import { JsonReporter } from "../run/json-reporter.ts";
import { LiveReporter } from "../run/live-reporter.ts";
import type { Reporter } from "../run/reporter.ts";
import { wishOf } from "../run/wish.ts";
import { Follower } from "./follower.ts";
import { resultOfJob } from "./job-facts.ts";

export interface AttachWish {
  readonly from: number;
  readonly json: boolean;
}

/** What stands in the journal as well is told from there, where it has a number. */
const IN_THE_JOURNAL: ReadonlySet<TurnEvent["type"]> = new Set([
  "thread.started",
  "turn.started",
  "item.completed",
  "usage",
  "turn.completed",
]);

/**
 * Shows what a job does as `run` would: what is done from its journal, what is being done live from
 * its broker, be that an older one. Where it cannot be heard live, the journal alone is followed.
 *
 * @returns the job at its end; undefined when whoever watched has left it alone, or it has been removed.
 */
export async function attach(view: JobView, wish: AttachWish): Promise<JobView | undefined> {
  return await new Attachment(wish).follow(view);
}

class Attachment {
  readonly #wish: AttachWish;
  readonly #reporter: Reporter;
  #live: Attached | undefined;
  /** Answers, where there is somebody at the terminal. */
  #person: Person | undefined;
  #failures = 0;

  constructor(wish: AttachWish) {
    this.#wish = wish;
    this.#reporter = wish.json ? new JsonReporter(out) : chooseReporter(false);
  }

  async follow(view: JobView): Promise<JobView | undefined> {
    const resumed = view.state !== "unreadable" && view.job.request.threadId !== null;
    using follower: Follower = new Follower(view, {
      from: this.#wish.from,
      tell: ({ entry, told }) => {
        for (const event of eventsOf(told, resumed)) this.#tell(event, entry);
      },
      onLook: (now) => this.#listen(now, follower),
    });
    using interruption = new Interruption({
      onFirst: () => this.#reporter.gone(),
      onSecond: () => {},
    });
    out.whenReaderGoes(() => interruption.interrupt());
    const ended = await follower.toTheEnd(interruption.signal);
    this.#live?.close();
    await this.#person?.idle;
    if (ended === undefined || ended.state === "unreadable") this.#reporter.gone();
    else this.#end(ended);
    if (interruption.signal.aborted) {
      err.line(`job ${view.id} goes on; \`codex-broker jobs attach ${view.id}\` joins it again`);
    }
    return ended;
  }

  #end(view: Exclude<JobView, { state: "unreadable" }>): void {
    const result = resultOfJob(view);
    if (result === undefined) this.#reporter.gone();
    else this.#reporter.ended(result);
  }

  async #listen(view: JobView, follower: Follower): Promise<void> {
    if (view.state !== "running" || this.#live !== undefined) return;
    try {
      this.#live = await attachToJob(view.broker, view.id, {
        onEvent: (event) => {
          follower.catchUp();
          if (!IN_THE_JOURNAL.has(event.type) && !follower.hasToldItem(itemOf(event))) {
            this.#reporter.event(event);
          }
        },
        ...this.#asking(),
      });
      const live = this.#live;
      void live.closed.then(() => {
        if (this.#live === live) this.#live = undefined;
      });
    } catch (error) {
      // The first time, it may have had no thread yet, or have just ended.
      if ((this.#failures += 1) === 2) this.#sayThatOnlyTheJournalTells(messageOf(error));
    }
  }

  #asking(): Pick<AttachOptions, "onQuestion"> {
    const display = this.#reporter;
    if (!(display instanceof LiveReporter) || !process.stdin.isTTY) return {};
    const onAnswer = (answer: Answered): void => display.answered(answer);
    const person = (this.#person ??= personAtTerminal(display, onAnswer));
    return { onQuestion: async (...question) => await person.ask(...question) };
  }

  #tell(event: TurnEvent, entry: number): void {
    if (this.#wish.json) return out.json({ entry, ...event });
    if (event.type !== "question.allowed") return this.#reporter.event(event);
    const { method, params, item } = event;
    const wish = wishOf(method, params, item ?? undefined);
    this.#reporter.answered({ method, decision: "accepted", wish });
  }

  /** It is tried again as long as the job runs. */
  #sayThatOnlyTheJournalTells(why: string): void {
    this.#reporter.event({
      type: "warning",
      message: `it cannot be heard live, so its journal is followed: ${why}`,
    });
  }
}

function eventsOf(entry: JobEntry, resumed: boolean): TurnEvent[] {
  switch (entry.type) {
    case "started": {
      const { threadId, turnId, resolved } = entry;
      const [model, cwd] = [resolved.model ?? "", resolved.cwd ?? ""];
      return [
        { type: "thread.started", threadId, resumed, model, cwd },
        { type: "turn.started", turnId },
      ];
    }
    case "item":
      return [{ type: "item.completed", item: entry.item as v2.ThreadItem }];
    case "allowed":
      return [questionAllowed(entry)];
    case "usage":
      return [{ type: "usage", usage: entry.usage as v2.ThreadTokenUsage }];
    case "created":
    case "ended":
      return [];
  }
}

function itemOf(event: TurnEvent): unknown {
  if ("itemId" in event) return event.itemId;
  return event.type === "item.started" ? event.item.id : undefined;
}

function questionAllowed({ method, params }: Extract<JobEntry, { type: "allowed" }>): TurnEvent {
  return { type: "question.allowed", method, params, item: null };
}
