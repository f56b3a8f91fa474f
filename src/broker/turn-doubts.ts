import { pause, startTimer, type Timer } from "../base/deadline.ts";
import { trace } from "../base/trace.ts";
import type { NotificationFrame } from "../wire/frame.ts";
import { isRecord, RpcError } from "../wire/messages.ts";
import type { Ask } from "./ask.ts";
import type { Turn } from "./turns.ts";

/** What says that a turn is over is followed by its end within milliseconds. */
const END_GRACE_MS = 2_000;
/** After what may have been its last message a turn may well go on, but says so soon. */
const FINAL_MESSAGE_GRACE_MS = 5_000;
/** A turn that was accepted says that it has started at once. */
const START_GRACE_MS = 10_000;
const LONGEST_GRACE_MS = 60_000;
const LOOK_LIMIT_MS = 10_000;
/** The turn in question is the latest of its thread, or close to it. */
const TURNS_LOOKED_AT = 5;

/** How a turn ended, as Codex's own history has it. */
export type EndedTurn = Readonly<Record<string, unknown>>;

export interface TurnDoubtsOptions<S extends object> {
  readonly ask: Ask;
  /** The turn is over: as told, or nobody knows how. */
  readonly onOver: (turn: Turn<S>, ended: EndedTurn | undefined) => void;
}

/**
 * Turns whose end may have been lost: something said that they are over, but their terminal event
 * does not come. After a grace Codex's history is asked, again and again at growing intervals, so
 * that nobody waits for ever.
 */
export class TurnDoubts<S extends object> {
  readonly #options: TurnDoubtsOptions<S>;
  readonly #doubts = new Map<Turn<S>, { timer: Timer; readonly graceMs: number }>();

  readonly #cleared = new AbortController();

  constructor(options: TurnDoubtsOptions<S>) {
    this.#options = options;
  }

  /** Its start was answered, and its first event is to come. */
  accepted(turn: Turn<S>): void {
    if (!turn.begun) this.#doubt(turn, START_GRACE_MS);
  }

  /** Another turn has begun on its thread, so it is over. */
  async overtaken(turn: Turn<S>): Promise<void> {
    this.settled(turn);
    let graceMs = END_GRACE_MS;
    let seen = await this.#ask(turn);
    while (seen === "unknown" && !this.#cleared.signal.aborted) {
      await pause(graceMs, this.#cleared.signal);
      if (turn.over) return;
      graceMs = Math.min(2 * graceMs, LONGEST_GRACE_MS);
      seen = await this.#ask(turn);
    }
    this.#over(turn, typeof seen === "string" ? undefined : seen);
  }

  heard(turn: Turn<S>, frame: NotificationFrame): void {
    const graceMs = graceAfter(frame);
    if (graceMs === "forget") return this.settled(turn);
    const before = this.#doubts.get(turn)?.graceMs;
    if (graceMs !== undefined || before !== undefined) {
      this.#doubt(turn, Math.min(graceMs ?? Infinity, before ?? Infinity));
    }
  }

  /** It goes on, or has ended as it should. */
  settled(turn: Turn<S>): void {
    this.#doubts.get(turn)?.timer.stop();
    this.#doubts.delete(turn);
  }

  /** Nobody can be asked any more. */
  clear(): void {
    this.#cleared.abort();
    for (const turn of this.#doubts.keys()) this.settled(turn);
  }

  #doubt(turn: Turn<S>, graceMs: number): void {
    this.settled(turn);
    const timer = startTimer(graceMs, () => void this.#look(turn));
    this.#doubts.set(turn, { timer, graceMs });
  }

  async #look(turn: Turn<S>): Promise<void> {
    const doubt = this.#doubts.get(turn);
    const seen = await this.#ask(turn);
    // Meanwhile its end may have come, or a sign of life.
    if (doubt === undefined || this.#doubts.get(turn) !== doubt) return;
    if (seen === "running" || seen === "unknown") {
      return this.#doubt(turn, Math.min(2 * doubt.graceMs, LONGEST_GRACE_MS));
    }
    this.settled(turn);
    this.#over(turn, seen);
  }

  #over(turn: Turn<S>, ended: EndedTurn | undefined): void {
    trace("warn", "turn.endWasLost", { threadId: turn.threadId, turnId: turn.id ?? null });
    this.#options.onOver(turn, ended);
  }

  /** @returns "unknown" where Codex did not answer, which proves nothing. */
  async #ask({ threadId, id }: Turn<S>): Promise<EndedTurn | "running" | "unknown" | undefined> {
    const ask = (method: string, params: object): Promise<unknown> =>
      this.#options.ask(method, { threadId, ...params }, LOOK_LIMIT_MS);
    try {
      const page = await ask("thread/turns/list", { limit: TURNS_LOOKED_AT });
      const turns = isRecord(page) && Array.isArray(page["data"]) ? page["data"] : [];
      const turn: unknown = turns.find((each) => isRecord(each) && each["id"] === id);
      if (isRecord(turn)) return turn["status"] === "inProgress" ? "running" : turn;
    } catch (error) {
      // A thread that is not saved has no history.
      trace("debug", "turn.noHistory", { threadId, error: String(error) });
      if (!(error instanceof RpcError)) return "unknown";
    }
    try {
      const read = await ask("thread/read", { includeTurns: false });
      const thread = isRecord(read) ? read["thread"] : undefined;
      const status = isRecord(thread) ? thread["status"] : undefined;
      return isRecord(status) && status["type"] === "active" ? "running" : undefined;
    } catch (error) {
      trace("debug", "turn.noThread", { threadId, error: String(error) });
      return error instanceof RpcError ? undefined : "unknown";
    }
  }
}

/** How long the end may take after this event; "forget" when it shows that the turn goes on. */
function graceAfter({ method, params }: NotificationFrame): number | "forget" | undefined {
  if (!isRecord(params)) return undefined;
  const { item, status, willRetry } = params;
  if (method === "error") return willRetry === false ? END_GRACE_MS : "forget";
  if (method === "thread/status/changed") {
    return isRecord(status) && status["type"] === "active" ? undefined : END_GRACE_MS;
  }
  if (method === "item/completed" && isRecord(item) && item["type"] === "agentMessage") {
    return item["phase"] === "commentary" ? "forget" : FINAL_MESSAGE_GRACE_MS;
  }
  if (method === "turn/started" || method === "turn/completed") return "forget";
  return method.startsWith("item/") ? "forget" : undefined;
}
