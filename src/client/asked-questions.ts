import { isRecord, type RawId } from "../wire/messages.ts";

/** The questions that one connection has brought and that are not answered yet. */
export class AskedQuestions {
  readonly #open = new Map<RawId, AbortController>();

  /** Has it answered. The signal says when nobody waits for the answer any more. */
  async serve(id: RawId, answer: (signal: AbortSignal) => Promise<unknown>): Promise<unknown> {
    const settled = new AbortController();
    this.#open.set(id, settled);
    try {
      return await answer(settled.signal);
    } finally {
      this.#open.delete(id);
    }
  }

  /** `serverRequest/resolved`: it was answered, here or by somebody else. */
  resolved(params: unknown): void {
    if (isRecord(params)) this.#open.get(JSON.stringify(params["requestId"]))?.abort();
  }

  /** The connection has ended. */
  clear(): void {
    for (const settled of this.#open.values()) settled.abort();
  }
}
