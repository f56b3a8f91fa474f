import type { TurnEvent } from "../../client/turn-event.ts";
import type { Output } from "../output/output.ts";
import type { Answered } from "./approvals.ts";
import type { Reporter } from "./reporter.ts";

/** One event a line, for programs. The result line is printed by whoever knows the result. */
export class JsonReporter implements Reporter {
  readonly #to: Output;

  constructor(to: Output) {
    this.#to = to;
  }

  event(event: TurnEvent): void {
    this.#to.json(event);
  }

  answered({ method, decision, wish }: Answered): void {
    this.#to.json({ type: "question", method, decision, wish });
  }

  preparing(): void {}
  interrupting(): void {}
  ended(): void {}
  gone(): void {}
}
