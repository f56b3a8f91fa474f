import type { JobView } from "../../client/job-list.ts";
import { isRecord } from "../../wire/messages.ts";
import type { v2 } from "../../app-server/generated/index.ts";
import type { TurnResult } from "../../client/turn.ts";
import { BrokerError, EXIT, type ExitCode } from "../../base/errors.ts";
import type { Shortfalls } from "../../wire/shortfalls.ts";
import { printShortfalls, shortfallsJson } from "../run/shortfall-text.ts";
import { turnFailure } from "../run/turn-failure.ts";
import type { Outcome } from "../../wire/job-protocol.ts";
import { workspaceOf } from "../../client/job-places.ts";
import type { jobsOptions } from "../commands.ts";
import type { Given } from "../line/given.ts";
import { failureJson, failureOf, printFailure, type Failure } from "../output/failure.ts";
import { err, out } from "../output/output.ts";
import { printOutcome, reviewOf } from "./outcome.ts";

const NO_SHORTFALLS: Shortfalls = {
  declined: [],
  failedMcpServers: [],
  unfinishedSubAgents: [],
};

type Read = Exclude<JobView, { state: "unreadable" }>;

const STATUSES: Readonly<Record<Exclude<Outcome, "lost">, TurnResult["status"]>> = {
  completed: "completed",
  failed: "failed",
  cancelled: "interrupted",
  timedOut: "timedOut",
};

/** Why the job did not end well; undefined for one that has, or runs. */
export function failureOfJob(view: Read): Failure | undefined {
  if (view.state === "running") return undefined;
  if (view.state === "completed") return misfitOf(view);
  if (view.state === "lost" || view.state === "unconfirmed") return failureOf(lossOf(view));
  const result = resultOfJob(view);
  const { timeoutMs } = view.job.request;
  const error = result === undefined ? undefined : turnFailure(result, timeoutMs ?? undefined);
  return error === undefined ? undefined : failureOf(error);
}

/** Its turn went well, and yet what it said is not what was asked for. */
function misfitOf(view: Read): Failure | undefined {
  try {
    reviewOf(view);
    return undefined;
  } catch (error) {
    return failureOf(error);
  }
}

/** How its turn ended, as one that was run in the foreground would; undefined while nobody can say. */
export function resultOfJob(view: Read): TurnResult | undefined {
  const { state, job } = view;
  if (state === "running" || state === "lost" || state === "unconfirmed") return undefined;
  return {
    status: STATUSES[state],
    threadId: job.threadId ?? "",
    turnId: job.turnId ?? "",
    message: job.end?.message ?? "",
    error: (job.end?.error ?? null) as v2.TurnError | null,
    durationMs: durationOf(view),
    usage: (job.usage ?? null) as v2.ThreadTokenUsage | null,
    ...(job.end?.shortfalls ?? NO_SHORTFALLS),
  };
}

/** What came of it is all that goes to stdout, as `run` and `review` have it. */
export function tellResult(given: Given<typeof jobsOptions>, view: JobView): ExitCode {
  if (view.state === "unreadable") throw unreadable(view);
  const failure = failureOfJob(view);
  if (given.has("json")) out.json(jobJson(view));
  else if (view.state === "running") {
    err.line(`job ${view.id} still runs; \`codex-broker jobs wait ${view.id}\` waits for its end`);
  } else {
    printOutcome(view, out);
    printShortfalls(view.job.end?.shortfalls ?? NO_SHORTFALLS, err);
  }
  if (failure === undefined) return EXIT.ok;
  if (!given.has("json")) printFailure(failure, err);
  return failure.exitCode;
}

export function unreadable({ id, why }: Extract<JobView, { state: "unreadable" }>): BrokerError {
  return new BrokerError("stateDirUnusable", `Job ${id} cannot be read: ${why}.`, {
    hint: "`codex-broker jobs clean` sets aside what is damaged.",
  });
}

function lossOf({ state, id, job, why }: Extract<Read, { readonly why: string }>): BrokerError {
  const reason = why.replace(/\.$/, "");
  if (state === "unconfirmed") {
    return new BrokerError("brokerUnavailable", `Nobody can say how job ${id} does: ${reason}.`, {
      details: { job: id },
      hint: "Try again in a moment; `codex-broker doctor` says more about the broker.",
    });
  }
  return new BrokerError("turnLost", `Job ${id} was lost: ${reason}.`, {
    details: { job: id, threadId: job.threadId, turnId: job.turnId },
    hint:
      job.threadId === null
        ? "Start it again; nothing had come of it."
        : `Go on with \`codex-broker jobs resume ${id}\`, or yourself with \`codex-broker run --resume ${job.threadId}\`.`,
  });
}

/** From its beginning to its end, or until now. */
export function durationOf({ job }: Read): number {
  const end = job.end === null ? Date.now() : Date.parse(job.end.at);
  return Math.max(0, end - Date.parse(job.startedAt ?? job.createdAt));
}

/** What it is called, or the beginning of what was asked. Foreign text. */
export function titleOf({ job }: Read): string {
  const { title, prompt, target } = job.request;
  if (title !== null) return title;
  if (prompt === null) return `review: ${isRecord(target) ? String(target["type"]) : ""}`;
  if (typeof prompt === "string") return prompt;
  const text = prompt.find(
    (item): item is { text: string } =>
      typeof item === "object" && item !== null && "text" in item && typeof item.text === "string",
  );
  return text?.text ?? "";
}

/** As `--json` shows a job. The order of the fields is part of what is promised. */
export function jobJson(view: JobView): Readonly<Record<string, unknown>> {
  const workspace = workspaceOf(view.scopeDir) ?? null;
  if (view.state === "unreadable") {
    return { job: view.id, state: view.state, workspace, why: view.why };
  }
  const { id, state, job } = view;
  const failure = failureOfJob(view);
  const review = failure === undefined ? reviewOf(view) : undefined;
  return {
    job: id,
    state,
    threadId: job.threadId,
    turnId: job.turnId,
    createdAt: job.createdAt,
    endedAt: job.end?.at ?? null,
    durationMs: durationOf(view),
    epoch: job.epoch,
    workspace,
    kind: job.request.kind,
    title: titleOf(view),
    resolved: job.resolved,
    message: job.end?.message ?? "",
    usage: job.usage,
    ...shortfallsJson(job.end?.shortfalls ?? NO_SHORTFALLS),
    ...(review === undefined ? {} : { review }),
    ...(failure === undefined ? {} : { error: failureJson(failure) }),
  };
}
