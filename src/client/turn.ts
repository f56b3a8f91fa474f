import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { v2 } from "../app-server/generated/index.ts";
import { BrokerError } from "../base/errors.ts";
import { Deadline, durationMs, monotonicMs, startTimer, type Timer } from "../base/deadline.ts";
import { deferred } from "../base/deferred.ts";
import { answerByPolicy } from "../policy/policy.ts";
import { checkPolicy } from "../policy/policy-schema.ts";
import type { Connection, RequestOptions } from "../wire/connection.ts";
import { decliningAnswer } from "../wire/declining-answers.ts";
import { isRecord } from "../wire/messages.ts";
import { ShortfallBook, type Shortfalls } from "../wire/shortfalls.ts";
import { EndWatch } from "./end-watch.ts";
import { EventQueue } from "./event-queue.ts";
import { FinalMessage } from "./final-message.ts";
import { latestTurns } from "./history.ts";
import type { Place, QuestionContext } from "./inbox.ts";
import { OwnEvents } from "./own-events.ts";
import { StallWatch } from "./stall-watch.ts";
import {
  closedUnderIt,
  endedBeforeItBegan,
  explained,
  isLoss,
  leftBehind,
  lostAsTold,
  type Intent,
} from "./turn-errors.ts";
import type { TurnContext } from "./turn-context.ts";
import { toTurnEvent, type TurnEvent } from "./turn-event.ts";
import type { JoinOptions, ReviewOptions, RunOptions, TurnOptions } from "./turn-options.ts";
import { joinsTurn, requestForThread, requestForTurn } from "./turn-requests.ts";

/** Brokers may be replaced again and again while a turn begins, but not for ever. */
const BEGIN_WITHIN_MS = 60_000;
/** For a broker to be found or started, and asked. */
const RECONCILE_LIMIT_MS = 30_000;
/** A turn that this client has left may go on for others; its end is then not waited for. */
const LEFT_GRACE_MS = 10_000;
/** An interrupted turn ends within milliseconds. One that does not is reported as it stands. */
const INTERRUPT_GRACE_MS = 10_000;

export interface TurnResult extends Shortfalls {
  readonly status: "completed" | "failed" | "interrupted" | "timedOut";
  readonly threadId: string;
  readonly turnId: string;
  /** The final message; empty when there was none. */
  readonly message: string;
  /** Why it failed, in Codex's own words. */
  readonly error: v2.TurnError | null;
  readonly durationMs: number;
  readonly usage: v2.ThreadTokenUsage | null;
}

/**
 * One turn, from its start to its terminal event. Iterating gives its events; `result` gives its end,
 * whether or not anybody iterates.
 */
export class TurnRun implements AsyncIterable<TurnEvent> {
  /** @throws BrokerError when the turn could not be started or was lost; RpcError as Codex answered. */
  readonly result: Promise<TurnResult>;
  readonly #context: TurnContext;
  readonly #options: RunOptions;
  readonly #events = new EventQueue<TurnEvent>();
  readonly #terminal = deferred<v2.Turn>();
  readonly #startedAt = monotonicMs();
  readonly #own = new OwnEvents((method, params) => this.#hear(method, params));
  /** The place of this turn in its thread's queue. */
  readonly #ticket = randomUUID();
  readonly #stall: StallWatch;
  readonly #endWatch: EndWatch;
  readonly #shortfalls = new ShortfallBook();
  readonly #message: FinalMessage;
  /** Nobody waits for the answers to its questions any more. */
  readonly #settled = new AbortController();
  #connection: Connection | undefined;
  #threadId: string | undefined;
  #asked = false;
  /** It was sent to a broker that took new work, as far as anybody here knew. */
  #mayHaveBegun = false;
  #usage: v2.ThreadTokenUsage | null = null;
  #intent: Intent | undefined;
  #interrupting: Promise<void> | undefined;

  constructor(context: TurnContext, options: TurnOptions | ReviewOptions | JoinOptions) {
    this.#context = context;
    this.#options = options;
    this.#message = new FinalMessage(this.#options.target !== undefined);
    this.#stall = new StallWatch(this.#options.stallMs, (silentMs) => this.#stalled(silentMs));
    this.#endWatch = new EndWatch({
      ask: (...request) => this.#request(...request),
      turn: () => ({ threadId: this.#threadId, turnId: this.turnId }),
      onOver: (turn) => this.#over(turn),
    });
    this.#terminal.promise.catch(() => {});
    this.result = this.#run();
    this.result.then(
      () => this.#events.end(),
      (error: Error) => this.#events.end(error),
    );
  }

  get threadId(): string | undefined {
    return this.#threadId;
  }

  get turnId(): string | undefined {
    return this.#own.turnId;
  }

  [Symbol.asyncIterator](): AsyncIterator<TurnEvent> {
    return this.#events[Symbol.asyncIterator]();
  }

  /** Asks Codex to end the turn; `result` then says how it ended. May be called at any moment. */
  interrupt(intent: Intent = "interrupted"): void {
    this.#intent ??= intent;
    if (this.#asked && this.turnId === undefined) this.#leaveQueue();
    this.#interruptIfKnown();
  }

  async #run(): Promise<TurnResult> {
    const { inbox } = this.#context;
    const { signal, timeoutMs, stallMs } = this.#options;
    const abort = (): void => this.interrupt();
    const undo: Array<() => unknown> = [
      inbox.listen((method, params) => {
        this.#shortfalls.observe(method, params);
        this.#own.hear(method, params);
      }),
      inbox.answerFor(
        (place) => this.#isOurs(place),
        (...question) => this.#answer(...question),
      ),
    ];
    inbox.busy(true);
    let timer: Timer | undefined;
    try {
      checkPolicy(this.#options.policy);
      if (stallMs !== undefined) durationMs(stallMs, "stallMs");
      if (timeoutMs !== undefined) {
        timer = startTimer(durationMs(timeoutMs, "timeoutMs"), () => this.interrupt("timedOut"));
      }
      signal?.throwIfAborted();
      signal?.addEventListener("abort", abort, { once: true });
      await this.#begin();
      return this.#resultOf(await this.#end());
    } catch (error) {
      const turn = await this.#reconcile(error);
      if (turn !== undefined) return this.#resultOf(turn);
      const { threadId, turnId } = this;
      throw explained(error, { intent: this.#intent, threadId, turnId });
    } finally {
      timer?.stop();
      this.#stall.stop();
      this.#endWatch.stop();
      this.#settled.abort();
      signal?.removeEventListener("abort", abort);
      for (const step of undo) step();
      inbox.busy(false);
    }
  }

  /** A broker that is being replaced refuses what begins; then it begins at the successor. */
  async #begin(): Promise<void> {
    const deadline = Deadline.after(BEGIN_WITHIN_MS);
    for (;;) {
      try {
        const opened = await this.#openThread();
        if (this.#intent !== undefined) throw endedBeforeItBegan(this.#intent);
        return await this.#startTurn(opened);
      } catch (error) {
        if (!this.#neverBegan(error) || deadline.expired) throw error;
        const refusing = this.#connection;
        this.#connection = await this.#context.connection();
        if (this.#connection === refusing) throw this.#context.whyNotReplaced() ?? error;
        this.#threadId = undefined;
        this.#asked = false;
        this.#mayHaveBegun = false;
        this.#own.reset();
      }
    }
  }

  /** Refused by a broker that is being replaced, or lost with one that would have refused it. */
  #neverBegan(error: unknown): boolean {
    if (!BrokerError.is(error) || this.turnId !== undefined) return false;
    if (error.kind === "draining") return true;
    const connection = this.#connection;
    if (this.#mayHaveBegun || !isLoss(error) || connection === undefined) return false;
    return this.#context.wasReplaced(connection);
  }

  async #openThread(): Promise<v2.ThreadStartResponse> {
    this.#connection ??= await this.#context.connection();
    const connection = this.#connection;
    const { method, params } = requestForThread(this.#options, this.#ticket);
    const joins = joinsTurn(this.#options);
    const sent = joins ? params : this.#context.asItWas(params);
    const result = await this.#unlessReplaced(connection, this.#request(method, sent));
    const asked = joins ? undefined : params;
    const thread = { asked, sent, result };
    const opened = (await this.#context.onOpened(thread, connection)) as v2.ThreadStartResponse;
    const forget = connection.onEnd((cause) => {
      // The turn may have begun elsewhere since.
      if (connection === this.#connection) this.#terminal.reject(cause);
    });
    this.#settled.signal.addEventListener("abort", forget, { once: true });
    this.#threadId = opened.thread.id;
    this.#events.push({
      type: "thread.started",
      threadId: opened.thread.id,
      resumed: this.#options.threadId !== undefined,
      model: opened.model,
      cwd: opened.cwd,
    });
    this.#own.openThread(opened.thread.id);
    if (joinsTurn(this.#options) && opened.thread.status.type !== "active") {
      throw new BrokerError("invalidRequest", `No turn runs on thread ${opened.thread.id}.`, {
        details: { threadId: opened.thread.id },
        hint: "`codex-broker status` shows the turns that run.",
      });
    }
    return opened;
  }

  /** A thread may be opened twice without harm: no use to wait for a broker on its way out. */
  async #unlessReplaced(connection: Connection, answer: Promise<unknown>): Promise<unknown> {
    // A turn that is joined runs in that broker and nowhere else.
    if (joinsTurn(this.#options)) return await answer;
    const replaced = deferred<never>();
    replaced.promise.catch(() => {});
    const forget = this.#context.onReplaced(connection, () => {
      const message = "The broker was replaced before it had opened the thread.";
      replaced.reject(new BrokerError("draining", message));
    });
    try {
      return await Promise.race([answer, replaced.promise]);
    } finally {
      forget();
    }
  }

  async #startTurn(opened: v2.ThreadStartResponse): Promise<void> {
    if (joinsTurn(this.#options)) {
      this.#own.claim(undefined);
      return this.#endWatch.start();
    }
    this.#asked = true;
    const connection = (this.#connection ??= await this.#context.connection());
    this.#mayHaveBegun = !this.#context.wasReplaced(connection);
    const { method, params } = requestForTurn(this.#options, opened, this.#ticket);
    const answer = await this.#request(method, params);
    const turn = isRecord(answer) ? answer["turn"] : undefined;
    this.#own.claim(isRecord(turn) && typeof turn["id"] === "string" ? turn["id"] : undefined);
    this.#endWatch.start();
    this.#interruptIfKnown();
  }

  /** Should it have begun meanwhile, its id is on its way, and then it is interrupted. */
  #leaveQueue(): void {
    if (this.#options.whenBusy !== "queue") return;
    const params = { threadId: this.#threadId, ticket: this.#ticket };
    this.#request("broker/unqueue", params).catch(() => {
      // The connection has ended, and the wait with it.
    });
  }

  /** Another session's turn can ask in the same thread before this one has begun. */
  #isOurs({ threadId, turnId }: Place): boolean {
    if (this.#threadId === undefined) return false;
    if (threadId !== this.#threadId) {
      return this.#context.inbox.isSubAgentOf(threadId, this.#threadId);
    }
    return turnId === undefined || turnId === null || turnId === this.turnId;
  }

  async #answer(method: string, params: unknown, context: QuestionContext): Promise<unknown> {
    const { policy, onQuestion } = this.#options;
    const { item } = context;
    const { workspace } = this.#context;
    const allowed = policy && (await answerByPolicy(policy, { method, params, item, workspace }));
    if (allowed === undefined) {
      const signal = AbortSignal.any([context.signal, this.#settled.signal]);
      const answer = await onQuestion?.(method, params, { ...context, signal });
      if (isRefusal(method, answer)) this.#shortfalls.declined(method, params);
      return answer;
    }
    this.#events.push({ type: "question.allowed", method, params, item: item ?? null });
    return allowed;
  }

  async #request(method: string, params: unknown, options?: RequestOptions): Promise<unknown> {
    this.#connection ??= await this.#context.connection();
    return await this.#connection.request(method, params, options);
  }

  /** Called when the client itself has left the thread: nothing more is heard of the turn. */
  left(): void {
    if (this.#settled.signal.aborted) return;
    this.#endWatch.suspect();
    startTimer(LEFT_GRACE_MS, () => this.#terminal.reject(leftBehind(this))).unref();
  }

  /** The end was not told, and Codex was asked for it. */
  #over(turn: v2.Turn | undefined): void {
    if (turn === undefined) return this.#terminal.reject(closedUnderIt(this));
    if (!this.#message.isThere) for (const item of turn.items) this.#message.heard(item);
    this.#events.push({ type: "turn.completed", turn });
    this.#terminal.resolve(turn);
  }

  /** The terminal event; bounded once the turn was told to end. */
  async #end(): Promise<v2.Turn> {
    const turn = await this.#terminal.promise;
    await this.#interrupting;
    return turn;
  }

  #hear(method: string, params: Record<string, unknown>): void {
    if (method === "broker/queued" && params["ticket"] !== this.#ticket) return;
    this.#stall.heard(method, params);
    this.#endWatch.heard(method, params);
    const event = toTurnEvent(method, params);
    this.#observe(method, params, event);
    this.#events.push(event);
  }

  #stalled(silentMs: number): void {
    this.#events.push({ type: "turn.stalled", silentMs });
    if (this.#options.onStall === "interrupt") this.interrupt("timedOut");
  }

  #observe(method: string, params: Record<string, unknown>, event: TurnEvent): void {
    if (method === "broker/turnLost") return this.#terminal.reject(lostAsTold(params));
    this.#interruptIfKnown();
    if (event.type === "usage") this.#usage = event.usage;
    if (event.type === "item.completed") this.#message.heard(event.item);
    if (event.type === "turn.completed") this.#terminal.resolve(event.turn);
  }

  /** An early wish to end the turn is kept until its id is known. */
  #interruptIfKnown(): void {
    if (
      this.#intent === undefined ||
      this.turnId === undefined ||
      this.#interrupting !== undefined
    ) {
      return;
    }
    const params = { threadId: this.#threadId, turnId: this.turnId };
    // Where it is refused, the turn or the connection has ended: either way the terminal event says so.
    const asked = Promise.allSettled([this.#request("turn/interrupt", params)]);
    this.#interrupting = asked.then(() => this.#boundTheEnd());
  }

  #boundTheEnd(): void {
    const tooLong = (): BrokerError =>
      new BrokerError("turnLost", "The turn was interrupted, but its end was not confirmed.", {
        details: { threadId: this.#threadId, turnId: this.turnId },
      });
    Deadline.after(INTERRUPT_GRACE_MS)
      .race(this.#terminal.promise, tooLong)
      .catch((error: unknown) => this.#terminal.reject(error));
  }

  #resultOf(turn: v2.Turn): TurnResult {
    const ended = turn.status === "inProgress" ? "failed" : turn.status;
    return {
      status: ended === "interrupted" && this.#intent !== undefined ? this.#intent : ended,
      threadId: this.#threadId ?? "",
      turnId: turn.id,
      message: this.#message.text,
      error: turn.error,
      durationMs: Math.round(monotonicMs() - this.#startedAt),
      usage: this.#usage,
      ...this.#shortfalls.of(this.#threadId, (place) => this.#isOurs(place as unknown as Place)),
    };
  }

  /**
   * The final message came, but its terminal event was lost with the connection: Codex's own history
   * says whether the turn had ended.
   */
  async #reconcile(error: unknown): Promise<v2.Turn | undefined> {
    if (!isLoss(error) || !this.#message.isThere || this.#threadId === undefined) return undefined;
    const threadId = this.#threadId;
    const turns = await latestTurns({
      ask: (deadline) => this.#context.lookUp(threadId, deadline),
      deadline: Deadline.after(RECONCILE_LIMIT_MS),
    });
    return turns?.find((turn) => turn.id === this.turnId && turn.status === "completed");
  }
}

function isRefusal(method: string, answer: unknown): boolean {
  const refusal = decliningAnswer(method);
  return (
    method !== "currentTime/read" &&
    "result" in refusal &&
    isDeepStrictEqual(answer, refusal.result)
  );
}
