import type { v2 } from "../app-server/generated/index.ts";
import type { Queued } from "../wire/broker-protocol.ts";
import { isRecord } from "../wire/messages.ts";

/** What happens in a turn, in the order in which it happens. */
export type TurnEvent =
  | { type: "thread.started"; threadId: string; resumed: boolean; model: string; cwd: string }
  /** It waits for its thread; position 1 is the next to begin. */
  | { type: "turn.queued"; position: number; running: Queued["turn"] }
  | { type: "turn.started"; turnId: string }
  /** Nothing was heard of it for `stallMs`. Told again after the next silence. */
  | { type: "turn.stalled"; silentMs: number }
  /** A piece of a message, as the model writes it. */
  | { type: "message.delta"; itemId: string; delta: string }
  | { type: "reasoning.delta"; itemId: string; delta: string }
  /** A piece of a running command's output. */
  | { type: "command.output"; itemId: string; delta: string }
  | { type: "item.started"; item: v2.ThreadItem }
  | { type: "item.completed"; item: v2.ThreadItem }
  | { type: "usage"; usage: v2.ThreadTokenUsage }
  | { type: "warning"; message: string }
  /** The model could not be reached, or failed; Codex tries again where `willRetry`. */
  | { type: "error"; error: v2.TurnError; willRetry: boolean }
  /** Codex asked for something that the policy allows. `item` is what it is about, as Codex announced it. */
  | { type: "question.allowed"; method: string; params: unknown; item: v2.ThreadItem | null }
  | { type: "turn.completed"; turn: v2.Turn }
  /** Everything that has no shape of its own here, known or unknown. */
  | { type: "notification"; method: string; params: unknown };

/** A notification of the turn's thread, as an event. */
export function toTurnEvent(method: string, params: Record<string, unknown>): TurnEvent {
  switch (method) {
    case "broker/queued":
      return {
        type: "turn.queued",
        position: Number(params["position"]),
        running: params["turn"] as Queued["turn"],
      };
    case "turn/started":
      return isRecord(params["turn"])
        ? { type: "turn.started", turnId: String(params["turn"]["id"]) }
        : { type: "notification", method, params };
    case "item/agentMessage/delta":
      return { type: "message.delta", ...deltaOf(params) };
    case "item/reasoning/textDelta":
    case "item/reasoning/summaryTextDelta":
      return { type: "reasoning.delta", ...deltaOf(params) };
    case "item/commandExecution/outputDelta":
      return { type: "command.output", ...deltaOf(params) };
    case "item/started":
      return { type: "item.started", item: params["item"] as v2.ThreadItem };
    case "item/completed":
      return { type: "item.completed", item: params["item"] as v2.ThreadItem };
    case "thread/tokenUsage/updated":
      return { type: "usage", usage: params["tokenUsage"] as v2.ThreadTokenUsage };
    case "warning":
      return { type: "warning", message: String(params["message"]) };
    case "error":
      return {
        type: "error",
        error: params["error"] as v2.TurnError,
        willRetry: params["willRetry"] === true,
      };
    case "turn/completed":
      return { type: "turn.completed", turn: params["turn"] as v2.Turn };
    default:
      return { type: "notification", method, params };
  }
}

function deltaOf(params: Record<string, unknown>): { itemId: string; delta: string } {
  return { itemId: String(params["itemId"]), delta: String(params["delta"]) };
}
