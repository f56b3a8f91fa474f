import { isRecord } from "../wire/messages.ts";
import { endsThread } from "../wire/thread-ends.ts";

/** More than Codex says between the beginning of a turn and the answer that names it. */
const MAX_UNCLAIMED = 1_000;

type Heard = readonly [method: string, params: Record<string, unknown>];

/**
 * Of all that a connection hears, what belongs to one turn. Its thread and its id become known by
 * and by; until then what may be the turn's own is kept, and what proves to be another turn's is
 * dropped: a thread can be heard while somebody else's turn runs on it.
 */
export class OwnEvents {
  readonly #deliver: (method: string, params: Record<string, unknown>) => void;
  #unclaimed: Heard[] = [];
  #threadId: string | undefined;
  #turnId: string | undefined;
  #claimed = false;

  constructor(deliver: (method: string, params: Record<string, unknown>) => void) {
    this.#deliver = deliver;
  }

  /** The turn's id, once anything has told it. */
  get turnId(): string | undefined {
    return this.#turnId;
  }

  hear(method: string, params: unknown): void {
    if (!isRecord(params)) return;
    if (this.#threadId === undefined) return this.#hearEarly(method, params);
    if (params["threadId"] !== this.#threadId) return;
    const turnId = turnIn(params);
    if (turnId === undefined) return this.#deliver(method, params);
    if (!this.#claimed) return this.#keep([method, params]);
    this.#turnId ??= turnId;
    if (turnId === this.#turnId) this.#deliver(method, params);
  }

  /** The thread is known: the first events of a new one can come before the answer that names it. */
  openThread(threadId: string): void {
    this.#threadId = threadId;
    this.#replay();
  }

  /** The turn has been begun. An id that was not told is that of the latest turn. */
  claim(turnId: string | undefined): void {
    this.#claimed = true;
    this.#turnId = turnId;
    if (turnId === undefined) {
      const latest = this.#unclaimed.findLastIndex(([method]) => method === "turn/started");
      this.#unclaimed.splice(0, Math.max(0, latest));
    }
    this.#replay();
  }

  /** It is tried again elsewhere, on another thread perhaps. */
  reset(): void {
    this.#unclaimed = [];
    this.#threadId = undefined;
    this.#turnId = undefined;
    this.#claimed = false;
  }

  /** The end of a thread's former life says nothing of the life in which this turn runs. */
  #hearEarly(method: string, params: Record<string, unknown>): void {
    if (!endsThread(method, params)) return this.#keep([method, params]);
    this.#unclaimed = this.#unclaimed.filter(([, kept]) => kept["threadId"] !== params["threadId"]);
  }

  #keep(heard: Heard): void {
    this.#unclaimed.push(heard);
    if (this.#unclaimed.length > MAX_UNCLAIMED) this.#unclaimed.shift();
  }

  #replay(): void {
    const heard = this.#unclaimed;
    this.#unclaimed = [];
    for (const [method, params] of heard) this.hear(method, params);
  }
}

function turnIn(params: Record<string, unknown>): string | undefined {
  const { turnId, turn } = params;
  const id = turnId ?? (isRecord(turn) ? turn["id"] : undefined);
  return typeof id === "string" ? id : undefined;
}
