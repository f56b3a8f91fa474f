import { decliningAnswer } from "../wire/declining-answers.ts";
import { isRecord, RpcError } from "../wire/messages.ts";

export type NotificationListener = (method: string, params: unknown) => void;

/**
 * Answers a question of the app-server: an approval, an elicitation, a tool call. `undefined` leaves
 * it to the next one who might answer, and in the end to a refusal.
 */
export type QuestionHandler = (method: string, params: unknown) => unknown;

/** Everything that arrives unasked, handed to whoever asked to have it. */
export class Inbox {
  readonly #listeners = new Set<NotificationListener>();
  readonly #byThread = new Map<string, QuestionHandler>();
  #holders = 0;
  #onHeld: (held: boolean) => void = () => {};
  /** For threads without a handler of their own. */
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

  answerFor(threadId: string, handler: QuestionHandler): () => void {
    this.#byThread.set(threadId, handler);
    return () => this.#byThread.delete(threadId);
  }

  notification(method: string, params: unknown): void {
    for (const listener of this.#listeners) listener(method, params);
  }

  async question(method: string, params: unknown): Promise<unknown> {
    const threadId = isRecord(params)
      ? (params["threadId"] ?? params["conversationId"])
      : undefined;
    const forThread = typeof threadId === "string" ? this.#byThread.get(threadId) : undefined;
    for (const handler of [forThread, this.questionHandler]) {
      const answer = await handler?.(method, params);
      if (answer !== undefined) return answer;
    }
    const declined = decliningAnswer(method);
    if ("result" in declined) return declined.result;
    throw new RpcError(declined.error);
  }
}
