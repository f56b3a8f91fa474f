import { isDeepStrictEqual } from "node:util";
import type { v2 } from "../app-server/generated/index.ts";
import { isRecord } from "../wire/messages.ts";

interface Entry {
  readonly threadId: unknown;
  readonly turnId: unknown;
  readonly item: v2.ThreadItem;
  /** Codex has asked whether it may. It asks once. */
  asked: boolean;
}

/** What Codex is doing right now, as its events tell: a question is about one of these. */
export class ItemsInProgress {
  readonly #entries = new Map<string, Entry>();

  observe(method: string, params: unknown): void {
    if (!isRecord(params)) return;
    const { threadId, turnId, item } = params;
    if (method === "turn/completed") return this.#forgetThread(threadId);
    if (!isRecord(item)) return;
    const key = `${String(threadId)} ${String(item["id"])}`;
    if (method === "item/completed") this.#entries.delete(key);
    if (method !== "item/started") return;
    this.#entries.set(key, { threadId, turnId, item: item as v2.ThreadItem, asked: false });
  }

  /** The item that a question names, or the one call that it can be about. */
  about(params: unknown): v2.ThreadItem | undefined {
    if (!isRecord(params)) return undefined;
    const named = this.#entries.get(`${String(params["threadId"])} ${String(params["itemId"])}`);
    if (named !== undefined) return named.item;
    const call = [...this.#entries.values()].find((entry) => isApprovalOf(entry, params));
    if (call === undefined) return undefined;
    call.asked = true;
    return call.item;
  }

  #forgetThread(threadId: unknown): void {
    for (const [key, entry] of this.#entries) {
      if (entry.threadId === threadId) this.#entries.delete(key);
    }
  }
}

/**
 * The approval of an MCP call names no item. All that it says of the tool could have been written by
 * the MCP server itself, only the server's name could not; so it counts as the approval of a call that
 * Codex itself has announced, with these very arguments, and that it has not asked about before.
 */
function isApprovalOf({ threadId, turnId, item, asked }: Entry, params: Record<string, unknown>) {
  const meta = params["_meta"];
  if (item.type !== "mcpToolCall" || asked || !isRecord(meta)) return false;
  return (
    params["threadId"] === threadId &&
    params["turnId"] === turnId &&
    params["serverName"] === item.server &&
    meta["tool_name"] === item.tool &&
    isDeepStrictEqual(meta["tool_params"], item.arguments)
  );
}
