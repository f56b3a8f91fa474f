import type { v2 } from "../../app-server/generated/index.ts";

const NO_ANSWER = " (Codex's history did not say how it ended)";

/**
 * The terminal event of a turn whose app-server has gone, in Codex's own shape: from Codex's history
 * where the turn stands in it, since it may well have ended; else as a failure.
 */
export function endOfLostTurn(
  threadId: string,
  turnId: string,
  why: string,
  history: readonly v2.Turn[] | undefined,
): v2.TurnCompletedNotification {
  const error: v2.TurnError = {
    message: `The turn was lost: ${why}${history === undefined ? NO_ANSWER : ""}`,
    codexErrorInfo: null,
    additionalDetails: null,
    misalignment: null,
  };
  const known = history?.find(({ id, status }) => id === turnId && status !== "inProgress");
  if (known !== undefined) {
    return {
      threadId,
      turn: known.status === "completed" ? known : { ...known, error: known.error ?? error },
    };
  }
  return {
    threadId,
    turn: {
      id: turnId,
      rootTurnId: null,
      items: [],
      itemsView: "notLoaded",
      status: "failed",
      error,
      startedAt: null,
      completedAt: Math.floor(Date.now() / 1000),
      durationMs: null,
    },
  };
}
