import type { v2 } from "../app-server/generated/index.ts";
import { Deadline, startTimer, type Timer } from "../base/deadline.ts";
import { trace } from "../base/trace.ts";
import { isRecord, RpcError } from "../wire/messages.ts";
import { endsThread } from "../wire/thread-ends.ts";

/** A turn may be silent for hours; it costs little to ask now and then whether it still runs. */
const SILENCE_MS = 60_000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 60_000;
const ANSWER_WITHIN_MS = 10_000;
/** The turn in question is the latest of its thread, or close to it. */
const TURNS_LOOKED_AT = 5;

/** What Codex says of a turn: how it ended, that it runs, or that it knows nothing of it. */
export type TurnState = v2.Turn | "running" | "gone";

export type AskCodex = (
  method: string,
  params: object,
  options: { readonly deadline: Deadline },
) => Promise<unknown>;

export interface EndWatchOptions {
  readonly ask: AskCodex;
  readonly turn: () => {
    readonly threadId: string | undefined;
    readonly turnId: string | undefined;
  };
  /** The turn is over; undefined when Codex does not know how it ended. */
  readonly onOver: (turn: v2.Turn | undefined) => void;
}

/**
 * Finds the end of a turn whose terminal event does not come: because its thread was closed under it,
 * because this client has left the thread, or for no known reason. Only an answer of Codex proves an end.
 */
export class EndWatch {
  readonly #options: EndWatchOptions;
  #timer: Timer | undefined;
  #pauseMs = FIRST_PAUSE_MS;
  #suspected = false;
  #looking = false;
  #wasGone = false;
  #stopped = true;

  constructor(options: EndWatchOptions) {
    this.#options = options;
  }

  /** The turn has begun. */
  start(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    this.#wait(this.#suspected ? 0 : SILENCE_MS);
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.stop();
  }

  /** A notification of the thread has come. */
  heard(method: string, params: Readonly<Record<string, unknown>>): void {
    if (endsThread(method, params)) return this.suspect();
    if (!this.#suspected && !this.#stopped) this.#wait(SILENCE_MS);
  }

  /** Something says that no terminal event will come. */
  suspect(): void {
    if (this.#suspected) return;
    this.#suspected = true;
    if (!this.#stopped && !this.#looking) this.#wait(0);
  }

  #wait(ms: number): void {
    this.#timer?.stop();
    this.#timer = startTimer(ms, () => void this.#look()).unref();
  }

  async #look(): Promise<void> {
    this.#looking = true;
    const state = await this.#ask().catch((error: unknown) => {
      trace("info", "turn.stateUnknown", { ...this.#options.turn(), error: String(error) });
      return "unknown" as const;
    });
    this.#looking = false;
    if (this.#stopped) return;
    // A turn that has just been accepted stands nowhere yet.
    const unsure = state === "gone" && !this.#wasGone;
    this.#wasGone = state === "gone";
    if (state !== "running" && state !== "unknown" && !unsure) {
      this.stop();
      return this.#options.onOver(state === "gone" ? undefined : state);
    }
    if (!this.#suspected && state === "running") return this.#wait(SILENCE_MS);
    this.#wait(this.#pauseMs);
    this.#pauseMs = Math.min(2 * this.#pauseMs, LONGEST_PAUSE_MS);
  }

  async #ask(): Promise<TurnState> {
    const { threadId, turnId } = this.#options.turn();
    if (threadId === undefined) return "running";
    return await stateOfTurn(this.#options.ask, threadId, turnId);
  }
}

/**
 * Asks Codex's history, and the thread itself where that does not know the turn.
 *
 * @throws what kept Codex from answering; an error of its own is an answer.
 */
export async function stateOfTurn(
  ask: AskCodex,
  threadId: string,
  turnId: string | undefined,
): Promise<TurnState> {
  const deadline = Deadline.after(ANSWER_WITHIN_MS);
  const page = await answered(
    ask("thread/turns/list", { threadId, limit: TURNS_LOOKED_AT }, { deadline }),
  );
  const turns = isRecord(page) && Array.isArray(page["data"]) ? (page["data"] as v2.Turn[]) : [];
  const turn = turns.find(({ id }) => id === turnId);
  if (turn !== undefined) return turn.status === "inProgress" ? "running" : turn;
  const read = await answered(ask("thread/read", { threadId, includeTurns: false }, { deadline }));
  const thread = isRecord(read) ? read["thread"] : undefined;
  const status = isRecord(thread) ? thread["status"] : undefined;
  return isRecord(status) && status["type"] === "active" ? "running" : "gone";
}

/** A thread that is not saved has no history, and one that is not loaded has no state. */
async function answered(answer: Promise<unknown>): Promise<unknown> {
  return await answer.catch((error: unknown) => {
    if (error instanceof RpcError) return undefined;
    throw error;
  });
}
