import type { TurnEvent } from "../../client/turn-event.ts";
import type { TurnResult } from "../../client/turn.ts";
import type { Answered } from "./approvals.ts";

/** Tells whoever watches how a run goes. Which one is used depends on who that is. */
export interface Reporter {
  /** What is being done before there is a turn. */
  preparing(what: string): void;
  event(event: TurnEvent): void;
  /** Codex asked something, and this was the answer. */
  answered(answer: Answered): void;
  /** The turn was told to end, and its end is awaited. */
  interrupting(why: string): void;
  /** The turn has ended. Nothing follows but its final message. */
  ended(result: TurnResult): void;
  /** No turn came of it, or its end is unknown. Nothing follows but the failure. */
  gone(): void;
}
