import { isRecord } from "../wire/messages.ts";
import { TURN_STARTERS } from "../wire/method-kinds.ts";
import { subAgentsIn } from "../wire/sub-agents.ts";
import { closesThread } from "../wire/thread-ends.ts";

interface Starts {
  readonly count: number;
  /** The turns of the thread that have ended since the first of these requests was sent. */
  readonly ended: string[];
}

/**
 * What is still to come over one connection: answers, and the ends of turns. A connection that is
 * closed before takes them along, and its broker interrupts the turns.
 */
export class OpenWork {
  /** The threads whose turn has not ended, each with the turn's id once that is known. */
  readonly #turns = new Map<string, string | undefined>();
  /** Requests that begin a turn and have no response yet, by thread. */
  readonly #starts = new Map<string, Starts>();
  /** Threads of sub-agents, each with the thread that it works for. */
  readonly #parents = new Map<string, string>();
  #awaitsAnswers = false;
  #onDone: () => void = () => {};

  get done(): boolean {
    return !this.#awaitsAnswers && this.#turns.size === 0 && this.#starts.size === 0;
  }

  /** Called each time the last of it is done. */
  onDone(listener: () => void): void {
    this.#onDone = listener;
  }

  /** Whether a turn of the thread has not ended, whoever started it. */
  runsTurnOf(threadId: string): boolean {
    return this.#turns.has(threadId);
  }

  /** Whether a turn of the thread has not ended, or may begin with the response to a request. */
  mayRunTurnOf(threadId: string): boolean {
    return this.#turns.has(threadId) || this.#starts.has(threadId);
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

  /** A request is about to be sent. @returns what to do when it has no result: a turn may have begun or not. */
  begin(method: string, params: unknown): (mayHaveBegun: boolean) => void {
    const threadId = isRecord(params) ? params["threadId"] : undefined;
    if (!TURN_STARTERS.has(method) || typeof threadId !== "string") return nothing;
    const starts = this.#starts.get(threadId) ?? { count: 0, ended: [] };
    this.#starts.set(threadId, { ...starts, count: starts.count + 1 });
    return (mayHaveBegun) => {
      const { ended = [] } = this.#settled(threadId) ?? {};
      const isUnknown = mayHaveBegun && ended.length === 0 && !this.#turns.has(threadId);
      if (isUnknown) this.#turns.set(threadId, undefined);
      this.#tellIfDone();
    };
  }

  /** A review may run on a thread of its own instead of the one that it was asked of. */
  answered(method: string, params: unknown, result: unknown): void {
    const asked = isRecord(params) ? params["threadId"] : undefined;
    if (!TURN_STARTERS.has(method) || typeof asked !== "string") return;
    const { ended = [] } = this.#settled(asked) ?? {};
    const elsewhere = isRecord(result) ? result["reviewThreadId"] : undefined;
    const isElsewhere = typeof elsewhere === "string" && elsewhere !== asked;
    const id = idIn(result);
    // The end of a short turn can come before the response that names it.
    const isOver = id === undefined ? ended.length > 0 : ended.includes(id);
    if (!isElsewhere && !isOver) this.#turns.set(asked, id ?? this.#turns.get(asked));
    this.#tellIfDone();
  }

  heard(method: string, params: unknown): void {
    for (const { threadId, parentId } of subAgentsIn(method, params)) {
      if (!this.#worksFor(parentId, threadId)) this.#parents.set(threadId, parentId);
    }
    const threadId = isRecord(params) ? params["threadId"] : undefined;
    if (typeof threadId !== "string") return;
    if (method === "turn/started") this.#turns.set(threadId, idIn(params));
    else if (ENDS.has(method)) this.#ended(threadId, idIn(params));
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

  /** A turn has ended. It may be the one before the turn that a response has named already. */
  #ended(threadId: string, turnId: string | undefined): void {
    const starts = this.#starts.get(threadId);
    if (turnId !== undefined) starts?.ended.push(turnId);
    const running = this.#turns.get(threadId);
    if (running === undefined || turnId === undefined || running === turnId) this.#end(threadId);
  }

  #end(threadId: string): void {
    if (this.#turns.delete(threadId)) this.#tellIfDone();
  }

  /** A request that begins a turn has its response. @returns what was outstanding. */
  #settled(threadId: string): Starts | undefined {
    const starts = this.#starts.get(threadId);
    if (starts === undefined) return undefined;
    if (starts.count > 1) this.#starts.set(threadId, { ...starts, count: starts.count - 1 });
    else this.#starts.delete(threadId);
    return starts;
  }

  #tellIfDone(): void {
    if (this.done) this.#onDone();
  }
}

const ENDS = new Set(["turn/completed", "broker/turnLost"]);

/** The id of the turn that a notification or a response names. */
function idIn(said: unknown): string | undefined {
  const { turn, turnId } = isRecord(said) ? said : {};
  const id = isRecord(turn) ? turn["id"] : turnId;
  return typeof id === "string" ? id : undefined;
}

function nothing(): void {}
