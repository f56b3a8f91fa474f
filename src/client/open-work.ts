import { isRecord } from "../wire/messages.ts";
import { TURN_STARTERS } from "../wire/method-kinds.ts";

/**
 * What is still to come over one connection: answers, and the ends of turns. A connection that is
 * closed before takes them along, and its broker interrupts the turns.
 */
export class OpenWork {
  readonly #threads = new Set<string>();
  #awaitsAnswers = false;
  #onDone: () => void = () => {};

  get done(): boolean {
    return !this.#awaitsAnswers && this.#threads.size === 0;
  }

  /** Called each time the last of it is done. */
  onDone(listener: () => void): void {
    this.#onDone = listener;
  }

  /** Threads whose turn has not ended, whoever started it. */
  runsTurnOf(threadId: string): boolean {
    return this.#threads.has(threadId);
  }

  awaitsAnswers(awaits: boolean): void {
    this.#awaitsAnswers = awaits;
    this.#tellIfDone();
  }

  /** A request is about to be sent. @returns what to do when it is refused. */
  begin(method: string, params: unknown): () => void {
    const threadId = isRecord(params) ? params["threadId"] : undefined;
    if (!TURN_STARTERS.has(method) || typeof threadId !== "string") return nothing;
    if (this.#threads.has(threadId)) return nothing;
    this.#threads.add(threadId);
    return () => this.#end(threadId);
  }

  /** A review may run on a thread of its own instead of the one that it was asked of. */
  answered(params: unknown, result: unknown): void {
    const elsewhere = isRecord(result) ? result["reviewThreadId"] : undefined;
    const asked = isRecord(params) ? params["threadId"] : undefined;
    if (typeof elsewhere !== "string" || typeof asked !== "string" || elsewhere === asked) return;
    this.#end(asked);
  }

  heard(method: string, params: unknown): void {
    const threadId = isRecord(params) ? params["threadId"] : undefined;
    if (typeof threadId !== "string") return;
    if (method === "turn/started") this.#threads.add(threadId);
    else if (ENDS.has(method)) this.#end(threadId);
  }

  #end(threadId: string): void {
    if (this.#threads.delete(threadId)) this.#tellIfDone();
  }

  #tellIfDone(): void {
    if (this.done) this.#onDone();
  }
}

const ENDS = new Set(["turn/completed", "broker/turnLost", "thread/closed", "thread/deleted"]);

function nothing(): void {}
