import type { TurnEvent } from "../../client/turn-event.ts";
import type { TurnResult } from "../../client/turn.ts";
import { duration } from "../output/amounts.ts";
import type { Output } from "../output/output.ts";
import { printableLine } from "../output/printable.ts";
import { Activity, type Note } from "./activity.ts";
import type { Answered } from "./approvals.ts";
import type { Reporter } from "./reporter.ts";
import { usageText } from "./usage-text.ts";

/** One line for each thing that happens, for logs and for terminals that cannot redraw. */
export class PlainReporter implements Reporter {
  readonly #to: Output;
  readonly #activity = new Activity();

  constructor(to: Output) {
    this.#to = to;
  }

  preparing(): void {}

  event(event: TurnEvent): void {
    for (const note of this.#activity.observe(event)) this.#line(noteText(note));
  }

  answered({ decision, wish }: Answered): void {
    this.#line(`${decision}: ${wish}`);
  }

  interrupting(why: string): void {
    this.#line(`codex-broker: ${why}`);
  }

  ended({ status, durationMs, message }: TurnResult): void {
    if (status !== "completed" && message !== "") this.#line(`message: ${message}`);
    const usage = usageText(this.#activity.usage);
    this.#line(
      `codex-broker: ${status} in ${duration(durationMs)}${usage === "" ? "" : `, ${usage}`}`,
    );
  }

  gone(): void {}

  #line(text: string): void {
    this.#to.line(printableLine(text));
  }
}

function noteText(note: Note): string {
  switch (note.kind) {
    case "thread": {
      const { threadId, resumed, model, cwd } = note;
      return `codex-broker: thread ${threadId}${resumed ? " resumed" : ""} (${model}, in ${cwd})`;
    }
    case "begun":
      return `${note.work.doing}: ${note.work.subject}`;
    case "ended": {
      const { words, durationMs } = note.outcome;
      const time = durationMs === null ? "" : ` in ${duration(durationMs)}`;
      return `${words}${time}: ${note.work.subject}`;
    }
    case "said":
      return `message: ${note.text}`;
    case "warning":
      return `warning: ${note.text}`;
  }
}
