import { isRecord } from "./messages.ts";

/** A thread that works for another. */
export interface SubAgent {
  readonly threadId: string;
  readonly parentId: string;
}

/**
 * The sub-agents that a notification tells of. Codex announces the thread of one in one of three ways:
 * by the thread itself, by the call that has spawned it, or by what it is said to be doing.
 */
export function subAgentsIn(method: string, params: unknown): readonly SubAgent[] {
  if (!isRecord(params)) return [];
  if (method === "thread/started") return fromThread(params["thread"]);
  if (method !== "item/started" && method !== "item/completed") return [];
  const { item, threadId } = params;
  if (!isRecord(item) || typeof threadId !== "string") return [];
  if (item["type"] === "subAgentActivity") return kin([item["agentThreadId"]], threadId);
  if (item["type"] !== "collabAgentToolCall") return [];
  const receivers = item["receiverThreadIds"];
  return Array.isArray(receivers) ? kin(receivers, threadId) : [];
}

function fromThread(thread: unknown): readonly SubAgent[] {
  return isRecord(thread) && typeof thread["parentThreadId"] === "string"
    ? kin([thread["id"]], thread["parentThreadId"])
    : [];
}

function kin(threads: readonly unknown[], parentId: string): readonly SubAgent[] {
  return threads.flatMap((threadId) =>
    typeof threadId === "string" && threadId !== parentId ? { threadId, parentId } : [],
  );
}
