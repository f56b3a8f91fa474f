import { deferred, type Deferred } from "../base/deferred.ts";

/** What is pushed on one side is iterated on the other, in order; the end may carry an error. */
export class EventQueue<T> implements AsyncIterable<T> {
  readonly #items: T[] = [];
  #wake: Deferred<void> | undefined;
  #ended = false;
  #error: Error | undefined;

  push(item: T): void {
    if (this.#ended) return;
    this.#items.push(item);
    this.#wake?.resolve();
  }

  /** Items that were pushed before are still delivered; then iteration ends, or throws the error. */
  end(error?: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    this.#wake?.resolve();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for (;;) {
      while (this.#items.length > 0) yield this.#items.shift()!;
      if (this.#ended) break;
      this.#wake = deferred();
      await this.#wake.promise;
    }
    if (this.#error !== undefined) throw this.#error;
  }
}
