import { setImmediate } from "node:timers/promises";
import type { v2 } from "../app-server/generated/index.ts";
import { isRecord, notHandled, RpcError } from "../wire/messages.ts";
import { ItemsInProgress } from "../policy/items-in-progress.ts";
import { subAgentsIn } from "../wire/sub-agents.ts";

export type NotificationListener = (method: string, params: unknown) => void;

export interface QuestionContext {
  /** What Codex wants to do, as its events have announced it; undefined where none has. */
  readonly item: v2.ThreadItem | undefined;
  /** Aborted when the answer is not waited for any more: another session gave one, or the turn ended. */
  readonly signal: AbortSignal;
}

/**
 * Answers a question of Codex: an approval, an elicitation, a tool call. `undefined` leaves it to the
 * next one who might answer, at last to the other sessions that hear the thread, and else to a refusal.
 */
export type QuestionHandler = (
  method: string,
  params: unknown,
  context: QuestionContext,
) => unknown;

/** Where a question belongs. */
export interface Place {
  readonly threadId: unknown;
  /** Undefined for questions that do not say it, null for those outside of a turn. */
  readonly turnId: unknown;
}

/** Everything that arrives unasked, handed to whoever asked to have it. */
export class Inbox {
  readonly #listeners = new Set<NotificationListener>();
  readonly #handlers = new Set<{ fits: (place: Place) => boolean; handler: QuestionHandler }>();
  readonly #items = new ItemsInProgress();
  /** Threads of sub-agents, each with the thread that it works for. */
  readonly #parents = new Map<unknown, unknown>();
  #holders = 0;
  #onHeld: (held: boolean) => void = () => {};
  /** For questions that no other handler has answered. */
  questionHandler: QuestionHandler | undefined;

  /** Whether anybody waits for anything. */
  get held(): boolean {
    return this.#holders > 0;
  }

  /** Told when the first wait begins and the last one ends: only then must the process be kept alive. */
  onHeld(listener: (held: boolean) => void): void {
    this.#onHeld = listener;
    listener(this.#holders > 0);
  }

  busy(busy: boolean): void {
    this.#holders += busy ? 1 : -1;
    if (this.#holders === (busy ? 1 : 0)) this.#onHeld(busy);
  }

  listen(listener: NotificationListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Questions that belong there go to this handler first. Returns its own undo. */
  answerFor(fits: (place: Place) => boolean, handler: QuestionHandler): () => void {
    const entry = { fits, handler };
    this.#handlers.add(entry);
    return () => this.#handlers.delete(entry);
  }

  notification(method: string, params: unknown): void {
    this.#items.observe(method, params);
    this.#noteSubAgents(method, params);
    for (const listener of this.#listeners) listener(method, params);
  }

  isSubAgentOf(threadId: unknown, root: string): boolean {
    const parent = this.#parents.get(threadId);
    return parent !== undefined && (parent === root || this.isSubAgentOf(parent, root));
  }

  async question(method: string, params: unknown, signal: AbortSignal): Promise<unknown> {
    const context: QuestionContext = { item: this.#items.about(params), signal };
    // Whose turn asks may have come to be known with the line before.
    await setImmediate();
    const asked = isRecord(params) ? params : {};
    const place = {
      threadId: asked["threadId"] ?? asked["conversationId"],
      turnId: asked["turnId"],
    };
    const first = [...this.#handlers].find(({ fits }) => fits(place));
    for (const handler of [first?.handler, this.questionHandler]) {
      const answer = await handler?.(method, params, context);
      if (answer !== undefined) return answer;
    }
    throw new RpcError(notHandled(method));
  }

  #noteSubAgents(method: string, params: unknown): void {
    if (method === "thread/closed" && isRecord(params)) this.#parents.delete(params["threadId"]);
    for (const { threadId, parentId } of subAgentsIn(method, params)) {
      // Two that were said to work for each other would have no end.
      if (!this.isSubAgentOf(parentId, threadId)) this.#parents.set(threadId, parentId);
    }
  }
}
