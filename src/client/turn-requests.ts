import type { v2 } from "../app-server/generated/index.ts";
import { durationMs } from "../base/deadline.ts";
import { approvalPolicyThatAsks } from "../policy/policy.ts";
import type { WhenBusy } from "../wire/broker-protocol.ts";
import type { RunOptions } from "./turn-options.ts";

export interface TurnRequest {
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** Whether it is a turn that runs already. */
export function joinsTurn({ prompt, target }: RunOptions): boolean {
  return prompt === undefined && target === undefined;
}

/** What opens the thread that the turn is to run on. */
export function requestForThread(options: RunOptions, ticket: string): TurnRequest {
  const { threadId, cwd, model, sandbox, permissions, config, approvalPolicy, ephemeral } = options;
  const shared = {
    cwd: cwd ?? null,
    model: model ?? null,
    sandbox: sandbox ?? null,
    ...(permissions === undefined ? {} : { permissions }),
    ...(config === undefined ? {} : { config }),
    approvalPolicy,
  };
  if (threadId === undefined) {
    return { method: "thread/start", params: { ...shared, ephemeral: ephemeral ?? null } };
  }
  return {
    method: "thread/resume",
    params: { ...shared, threadId, excludeTurns: true, ...wishes(options, ticket) },
  };
}

/** What begins the turn on the thread that was opened for it. */
export function requestForTurn(
  options: RunOptions,
  opened: v2.ThreadStartResponse,
  ticket: string,
): TurnRequest {
  const { prompt, target, effort, outputSchema } = options;
  const threadId = opened.thread.id;
  if (target !== undefined) {
    return {
      method: "review/start",
      params: { threadId, target, ...wishes(options, ticket) },
    };
  }
  const input =
    typeof prompt === "string" ? [{ type: "text", text: prompt, text_elements: [] }] : prompt;
  return {
    method: "turn/start",
    params: {
      threadId,
      input,
      ...asking(options, opened),
      ...(effort === undefined ? {} : { effort }),
      ...(outputSchema === undefined ? {} : { outputSchema }),
      ...wishes(options, ticket),
    },
  };
}

/** What is meant for the broker alone. */
function wishes({ whenBusy, timeoutMs }: RunOptions, ticket: string): { broker?: WhenBusy } {
  if (whenBusy !== "queue") return {};
  const deadline =
    timeoutMs === undefined ? {} : { deadlineMs: durationMs(timeoutMs, "timeoutMs") };
  return { broker: { whenBusy, ticket, ...deadline } };
}

function asking(
  { policy }: RunOptions,
  opened: v2.ThreadStartResponse,
): { approvalPolicy?: v2.AskForApproval } {
  const approvalPolicy = policy && approvalPolicyThatAsks(policy, opened);
  return approvalPolicy === undefined ? {} : { approvalPolicy };
}
