import type { JobView } from "../../client/job-list.ts";
import { isRecord } from "../../wire/messages.ts";
import type { v2 } from "../../app-server/generated/index.ts";
import type { TurnResult } from "../../client/turn.ts";
import { BrokerError } from "../../base/errors.ts";
import { turnFailure } from "../run/turn-failure.ts";
import type { Outcome } from "../../wire/job-protocol.ts";
import { failureJson, failureOf, type Failure } from "../output/failure.ts";
import { reviewOf } from "./outcome.ts";

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
  const { state, job } = view;
  const error = turnFailure(
    {
      status: STATUSES[state],
      threadId: job.threadId ?? "",
      turnId: job.turnId ?? "",
      message: job.end?.message ?? "",
      error: (job.end?.error ?? null) as v2.TurnError | null,
      durationMs: durationOf(view),
      usage: null,
    },
    job.request.timeoutMs ?? undefined,
  );
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
        : `Continue its thread with \`codex-broker run --resume ${job.threadId}\`.`,
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
  if (view.state === "unreadable") return { job: view.id, state: view.state, why: view.why };
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
    kind: job.request.kind,
    title: titleOf(view),
    resolved: job.resolved,
    message: job.end?.message ?? "",
    usage: job.usage,
    ...(review === undefined ? {} : { review }),
    ...(failure === undefined ? {} : { error: failureJson(failure) }),
  };
}
