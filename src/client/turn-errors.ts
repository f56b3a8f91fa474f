import { BrokerError, isErrorKind, type ErrorKind } from "../base/errors.ts";
import { isRecord, RpcError } from "../wire/messages.ts";

/** Why a turn is being ended from this side. */
export type Intent = "interrupted" | "timedOut";

/** As much of a turn as was known when it went wrong. */
export interface KnownOfTurn {
  readonly intent: Intent | undefined;
  readonly threadId: string | undefined;
  readonly turnId: string | undefined;
}

/** What the caller is told when there is no terminal event. */
export function explained(error: unknown, { intent, threadId, turnId }: KnownOfTurn): unknown {
  if (intent !== undefined && isKind(error, "turnInterrupted", "timedOut")) {
    return endedBeforeItBegan(intent);
  }
  if (error instanceof RpcError) return explainRefusal(error);
  if (!isLoss(error) || error.kind === "turnLost" || threadId === undefined) return error;
  return new BrokerError("turnLost", `The turn was lost: ${error.message}`, {
    cause: error,
    details: { threadId, turnId: turnId ?? null },
    hint: `Continue the thread with \`codex-broker run --resume ${threadId}\`.`,
  });
}

/** The connection or the app-server behind it has gone. */
export function isLoss(error: unknown): error is BrokerError {
  return isKind(error, "connectionLost", "connectionClosed", "turnLost", "appServerExited");
}

function isKind(error: unknown, ...kinds: readonly ErrorKind[]): error is BrokerError {
  return BrokerError.is(error) && kinds.includes(error.kind);
}

export function endedBeforeItBegan(intent: Intent): BrokerError {
  return intent === "timedOut"
    ? new BrokerError("timedOut", "The time was up before the turn began.")
    : new BrokerError("turnInterrupted", "The turn was interrupted before it began.");
}

type NamedTurn = Pick<KnownOfTurn, "threadId" | "turnId">;

/** The thread of the turn was closed under it. */
export function closedUnderIt(turn: NamedTurn): BrokerError {
  return lostBecause(turn, "was closed while its turn ran, and Codex does not say how that ended");
}

/** The client has unsubscribed from the thread, archived or deleted it, and the turn goes on. */
export function leftBehind(turn: NamedTurn): BrokerError {
  return lostBecause(turn, "was left by this client while its turn ran, and the turn goes on");
}

function lostBecause({ threadId, turnId }: NamedTurn, what: string): BrokerError {
  return new BrokerError("turnLost", `The turn was lost: thread ${threadId ?? ""} ${what}.`, {
    details: { threadId: threadId ?? null, turnId: turnId ?? null },
    hint: `\`codex-broker call thread/turns/list '{"threadId":"${threadId ?? ""}"}'\` shows what Codex knows of it.`,
  });
}

export function lostAsTold(params: Record<string, unknown>): BrokerError {
  const told = params["error"];
  if (!isRecord(told) || !isErrorKind(told["kind"])) {
    return new BrokerError("turnLost", "The turn was lost.");
  }
  return new BrokerError(told["kind"], String(told["message"]), {
    hint: String(told["hint"]),
    ...(isRecord(told["details"]) ? { details: told["details"] } : {}),
  });
}

const CONFIG_BROKEN = /failed to load configuration/i;

/** Refusals whose cure is known become errors of ours, with the cause kept. */
function explainRefusal(error: RpcError): BrokerError | RpcError {
  if (!CONFIG_BROKEN.test(error.message)) return error;
  return new BrokerError(
    "codexConfigInvalid",
    `Codex cannot load its configuration: ${error.message}`,
    {
      cause: error,
    },
  );
}
