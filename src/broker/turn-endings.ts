import { BrokerError } from "../base/errors.ts";
import type { TurnLost } from "../wire/broker-protocol.ts";
import { decodeFrame, type NotificationFrame } from "../wire/frame.ts";
import { bytesOf } from "../wire/line.ts";
import { notificationLine } from "../wire/messages.ts";
import type { EndedTurn } from "./turn-doubts.ts";
import type { Turn } from "./turns.ts";

/** The terminal event of a turn whose own was lost, from Codex's history. */
export function turnCompleted(threadId: string, turn: EndedTurn): NotificationFrame {
  return notification("turn/completed", { threadId, turn });
}

/** Announces the end of a thread whose own announcement was lost. */
export function threadClosed(threadId: string): NotificationFrame {
  return notification("thread/closed", { threadId });
}

function notification(method: string, params: object): NotificationFrame {
  return decodeFrame(bytesOf(notificationLine(method, params))) as NotificationFrame;
}

/** The terminal event of a turn that nobody knows the end of. */
export function turnLost(turn: Turn<object>, cause: BrokerError, threadLost: boolean): TurnLost {
  const { threadId } = turn;
  const turnId = turn.id ?? null;
  const hint = threadLost
    ? "Its thread is lost with it, because it was not saved: start a new one."
    : `Continue the thread with \`codex-broker run --resume ${threadId}\`.`;
  const error = new BrokerError("turnLost", `The turn was lost: ${cause.message}`, {
    details: { threadId, turnId, threadLost, ...cause.details },
    hint,
  });
  return { threadId, turnId, threadLost, error: error.toJSON() };
}
