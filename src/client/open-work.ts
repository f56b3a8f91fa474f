import { isRecord } from "../wire/messages.ts";
import { TURN_STARTERS } from "../wire/method-kinds.ts";
import { subAgentsIn } from "../wire/sub-agents.ts";
import { closesThread } from "../wire/thread-ends.ts";

/**
 * What is still to come over one connection: answers, and the ends of turns. A connection that is
 * closed before takes them along, and its broker interrupts the turns.
 */
export class OpenWork {
  /** The threads whose turn has not ended, each with the turn's id once that is known. */
  readonly #turns = new Map<string, string | undefined>();
  /** Threads of sub-agents, each with the thread that it works for. */
  readonly #parents = new Map<string, string>();
  #awaitsAnswers = false;
  #onDone: () => void = () => {};

  get done(): boolean {
    return !this.#awaitsAnswers && this.#turns.size === 0;
  }

  /** Called each time the last of it is done. */
  onDone(listener: () => void): void {
    this.#onDone = listener;
  }

  /** Threads whose turn has not ended, whoever started it. */
  runsTurnOf(threadId: string): boolean {
    return this.#turns.has(threadId);
  }

  /** The running turns whose id is known, by thread. */
  turns(): Array<readonly [threadId: string, turnId: string]> {
    return [...this.#turns].flatMap(([threadId, turnId]) =>
      turnId === undefined ? [] : [[threadId, turnId] as const],
    );
  }

  awaitsAnswers(awaits: boolean): void {
    this.#awaitsAnswers = awaits;
    this.#tellIfDone();
  }

  /** A request is about to be sent. @returns what to do when it is refused. */
  begin(method: string, params: unknown): () => void {
    const threadId = isRecord(params) ? params["threadId"] : undefined;
    if (!TURN_STARTERS.has(method) || typeof threadId !== "string") return nothing;
    if (this.#turns.has(threadId)) return nothing;
    this.#turns.set(threadId, undefined);
    return () => this.#end(threadId);
  }

  /** A review may run on a thread of its own instead of the one that it was asked of. */
  answered(params: unknown, result: unknown): void {
    const asked = isRecord(params) ? params["threadId"] : undefined;
    if (typeof asked !== "string" || !isRecord(result)) return;
    const elsewhere = result["reviewThreadId"];
    if (typeof elsewhere === "string" && elsewhere !== asked) return this.#end(asked);
    if (this.#turns.has(asked)) this.#turns.set(asked, idIn(result) ?? this.#turns.get(asked));
  }

  heard(method: string, params: unknown): void {
    for (const { threadId, parentId } of subAgentsIn(method, params)) {
      if (!this.#worksFor(parentId, threadId)) this.#parents.set(threadId, parentId);
    }
    const threadId = isRecord(params) ? params["threadId"] : undefined;
    if (typeof threadId !== "string") return;
    if (method === "turn/started") this.#turns.set(threadId, idIn(params));
    else if (ENDS.has(method)) this.#end(threadId);
    if (closesThread(method)) this.left(threadId);
  }

  /** Nothing more is heard of the thread here, nor of the sub-agents that work for it. */
  left(threadId: string): void {
    const below = [...this.#parents.keys()].filter((each) => this.#worksFor(each, threadId));
    for (const each of below) {
      this.#parents.delete(each);
      this.#end(each);
    }
    this.#end(threadId);
  }

  /** The thread that this one, if it is a sub-agent's, works for at last. */
  rootOf(threadId: string): string {
    const parent = this.#parents.get(threadId);
    return parent === undefined ? threadId : this.rootOf(parent);
  }

  #worksFor(threadId: string, root: string): boolean {
    const parent = this.#parents.get(threadId);
    return threadId === root || (parent !== undefined && this.#worksFor(parent, root));
  }

  #end(threadId: string): void {
    if (this.#turns.delete(threadId)) this.#tellIfDone();
  }

  #tellIfDone(): void {
    if (this.done) this.#onDone();
  }
}

const ENDS = new Set(["turn/completed", "broker/turnLost"]);

/** The id of the turn that a notification or a response names. */
function idIn(said: unknown): string | undefined {
  const turn = isRecord(said) ? said["turn"] : undefined;
  const id = isRecord(turn) ? turn["id"] : undefined;
  return typeof id === "string" ? id : undefined;
}

function nothing(): void {}
