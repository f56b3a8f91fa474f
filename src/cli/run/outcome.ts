import { EXIT, type ExitCode } from "../../base/errors.ts";
import type { TurnResult } from "../../client/turn.ts";
import { shortfallsJson } from "./shortfall-text.ts";
import { failureJson, type Failure, type FailureJson } from "../output/failure.ts";

/** How a run ended, in one word for scripts. */
type RunStatus = TurnResult["status"] | "lost" | "notStarted";

/** The last line of `run --json`. The order of its fields is part of what is promised. */
export interface ResultLine {
  readonly type: "result";
  readonly status: RunStatus;
  readonly threadId: string | null;
  readonly turnId: string | null;
  readonly message: string;
  readonly durationMs: number;
  readonly usage: TurnResult["usage"];
  readonly declined: ReturnType<typeof shortfallsJson>["declined"];
  readonly failedMcpServers: TurnResult["failedMcpServers"];
  readonly unfinishedSubAgents: TurnResult["unfinishedSubAgents"];
  readonly error?: FailureJson;
}

/** For a turn that reached its end, well or not. */
export function lineOfResult(result: TurnResult, failure: Failure | undefined): ResultLine {
  const { status, threadId, turnId, message, durationMs, usage } = result;
  return {
    type: "result",
    status,
    threadId,
    turnId,
    message,
    durationMs,
    usage,
    ...shortfallsJson(result),
    ...(failure === undefined ? {} : { error: failureJson(failure) }),
  };
}

/** For one that could not begin, or whose end is unknown. */
export function lineOfFailure(
  failure: Failure,
  turn: { readonly threadId: string | undefined; readonly turnId: string | undefined } | undefined,
  durationMs: number,
): ResultLine {
  return {
    type: "result",
    status: statusOf(failure),
    threadId: turn?.threadId ?? null,
    turnId: turn?.turnId ?? null,
    message: "",
    durationMs,
    usage: null,
    declined: [],
    failedMcpServers: [],
    unfinishedSubAgents: [],
    error: failureJson(failure),
  };
}

const STATUS_BY_EXIT: Readonly<Record<ExitCode, RunStatus>> = {
  [EXIT.ok]: "completed",
  [EXIT.turnFailed]: "failed",
  [EXIT.usage]: "notStarted",
  [EXIT.couldNotStart]: "notStarted",
  [EXIT.lost]: "lost",
  [EXIT.timedOut]: "timedOut",
  // Of the doctor alone; no turn ends with it.
  [EXIT.foundWrong]: "failed",
  [EXIT.outputLost]: "failed",
  [EXIT.interrupted]: "interrupted",
};

function statusOf(failure: Failure): RunStatus {
  return STATUS_BY_EXIT[failure.exitCode];
}
