import type { NotificationFrame } from "../wire/frame.ts";
import { isRecord } from "../wire/messages.ts";
import { threadInResult } from "./frame-facts.ts";

/**
 * Threads that are lost for good with their app-server: ephemeral ones, and those on which nothing
 * has happened yet, because a thread is saved with its first turn.
 */
export class UnsavedThreads {
  readonly #threads = new Map<string, "ephemeral" | "new">();

  has(threadId: string): boolean {
    return this.#threads.has(threadId);
  }

  /** A request that opens a thread was answered. */
  opened(method: string, result: unknown): void {
    const threadId = threadInResult(result);
    const thread = isRecord(result) ? result["thread"] : undefined;
    if (threadId === undefined) return;
    if (isRecord(thread) && thread["ephemeral"] === true) this.#threads.set(threadId, "ephemeral");
    else if (method === "thread/start") this.#threads.set(threadId, "new");
  }

  heard(threadId: string, frame: NotificationFrame): void {
    if (frame.method === "item/completed" && this.#threads.get(threadId) === "new") {
      this.#threads.delete(threadId);
    }
  }

  forget(threadId: string): void {
    this.#threads.delete(threadId);
  }
}
