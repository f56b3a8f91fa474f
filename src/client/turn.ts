import { randomUUID } from "node:crypto";
import type { v2 } from "../app-server/generated/index.ts";
import { BrokerError, isErrorKind, type ErrorKind } from "../base/errors.ts";
import { Deadline, monotonicMs } from "../base/deadline.ts";
import { deferred } from "../base/deferred.ts";
import type { Connection } from "../wire/connection.ts";
import { isRecord, RpcError } from "../wire/messages.ts";
import type { WhenBusy } from "../wire/broker-protocol.ts";
import { EventQueue } from "./event-queue.ts";
import type { Inbox, Place, QuestionContext, QuestionHandler } from "./inbox.ts";
import { OwnEvents } from "./own-events.ts";
import { StallWatch } from "./stall-watch.ts";
import { answerByPolicy, approvalPolicyThatAsks } from "../policy/policy.ts";
import type { Policy } from "../wire/policy.ts";
import { toTurnEvent, type TurnEvent } from "./turn-event.ts";

/** Brokers may be replaced again and again while a turn begins, but not for ever. */
const BEGIN_WITHIN_MS = 60_000;
/** For a broker to be found or started, and asked. */
const RECONCILE_LIMIT_MS = 10_000;
/** An interrupted turn ends within milliseconds. One that does not is reported as it stands. */
const INTERRUPT_GRACE_MS = 10_000;

export interface TurnOptions {
  /** What Codex is asked to do; or the items of an input, for images and the like. */
  readonly prompt: string | readonly v2.UserInput[];
  /** Continues this thread. Default: a new one. */
  readonly threadId?: string;
  /** Where the turn works. Default: the workspace. */
  readonly cwd?: string;
  readonly model?: string;
  readonly effort?: string;
  readonly sandbox?: v2.SandboxMode;
  readonly approvalPolicy?: v2.AskForApproval;
  /** JSON Schema for the final message. */
  readonly outputSchema?: unknown;
  /** Leaves nothing on disk; such a thread cannot be resumed. */
  readonly ephemeral?: boolean;
  /**
   * What becomes of this turn while its thread runs another: refused with `threadBusy`, or begun when
   * those before it have ended. Default: "refuse".
   */
  readonly whenBusy?: "refuse" | "queue";
  /**
   * Milliseconds after which the turn is interrupted, or its wait for the thread ended. Default: none,
   * a turn may run for hours; a wait for the thread ends after half an hour.
   */
  readonly timeoutMs?: number;
  /** Milliseconds of silence after which the turn counts as stalled. Default: never. */
  readonly stallMs?: number;
  /** What becomes of a stalled turn: an event tells of it, or it is interrupted too. Default: "report". */
  readonly onStall?: "report" | "interrupt";
  /** Interrupts the turn. */
  readonly signal?: AbortSignal;
  /**
   * What this turn may do without anybody being asked. Default: what the client was connected with.
   * Where it names MCP tools and Codex would refuse them unasked, the turn's approval policy is changed
   * so that it asks about them, and about nothing else; the thread keeps that.
   */
  readonly policy?: Policy;
  /** Answers approvals and other questions of this turn and its sub-agents. Default: the client's handler. */
  readonly onQuestion?: QuestionHandler;
}

/** A review by Codex's own reviewer. Its text is the final message. */
export interface ReviewOptions extends Omit<TurnOptions, "prompt" | "effort" | "outputSchema"> {
  readonly target: v2.ReviewTarget;
}

/** A turn that runs already. What happened in it so far is told first. */
export interface JoinOptions {
  readonly threadId: string;
  /** Milliseconds after which the turn is interrupted: whoever joins one may do that too. */
  readonly timeoutMs?: number;
  /** Interrupts the turn. */
  readonly signal?: AbortSignal;
  /** Answers the questions of this turn, unless another one who hears it is faster. */
  readonly onQuestion?: QuestionHandler;
}

/** With neither a prompt nor something to review it joins the turn that runs. */
type RunOptions = Omit<TurnOptions, "prompt"> &
  Partial<Pick<TurnOptions, "prompt"> & Pick<ReviewOptions, "target">>;

export interface TurnResult {
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

/** What a turn needs of its client. */
export interface TurnContext {
  readonly inbox: Inbox;
  /** The connection that this turn runs on from its start to its end. */
  readonly connection: () => Promise<Connection>;
  /** Resolves when the broker at its other end is being replaced; else never. */
  readonly replaced: (connection: Connection) => Promise<void>;
  /** Whether the broker at its other end had announced that it takes no new work. */
  readonly wasReplaced: (connection: Connection) => boolean;
  readonly onThread: (threadId: string) => void;
  /** The thread's latest turns, from Codex's own history. */
  readonly lookUp: (threadId: string) => Promise<v2.ThreadTurnsListResponse>;
}

/** Why a turn is being ended from this side. */
type Intent = "interrupted" | "timedOut";

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
  /** Nobody waits for the answers to its questions any more. */
  readonly #over = new AbortController();
  #connection: Connection | undefined;
  #opened: v2.ThreadStartResponse | undefined;
  #threadId: string | undefined;
  #asked = false;
  /** It was sent to a broker that took new work, as far as anybody here knew. */
  #mayHaveBegun = false;
  #message = "";
  #answered = false;
  #usage: v2.ThreadTokenUsage | null = null;
  #intent: Intent | undefined;
  #interrupting: Promise<void> | undefined;

  constructor(context: TurnContext, options: TurnOptions | ReviewOptions | JoinOptions) {
    this.#context = context;
    this.#options = options;
    this.#stall = new StallWatch(this.#options.stallMs, (silentMs) => this.#stalled(silentMs));
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
    const { signal, timeoutMs } = this.#options;
    const abort = (): void => this.interrupt();
    const undo: Array<() => unknown> = [
      inbox.listen((method, params) => this.#own.hear(method, params)),
      inbox.answerFor(
        (place) => this.#isOurs(place),
        (...question) => this.#answer(...question),
      ),
    ];
    inbox.busy(true);
    const timer =
      timeoutMs === undefined ? undefined : setTimeout(() => this.interrupt("timedOut"), timeoutMs);
    try {
      signal?.throwIfAborted();
      signal?.addEventListener("abort", abort, { once: true });
      await this.#begin();
      return this.#resultOf(await this.#end());
    } catch (error) {
      const turn = await this.#reconcile(error);
      if (turn !== undefined) return this.#resultOf(turn);
      throw this.#explain(error);
    } finally {
      clearTimeout(timer);
      this.#stall.stop();
      this.#over.abort();
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
        const threadId = await this.#openThread();
        this.#context.onThread(threadId);
        if (this.#intent !== undefined) throw endedBeforeItBegan(this.#intent);
        return await this.#startTurn(threadId);
      } catch (error) {
        if (!this.#neverBegan(error) || deadline.expired) throw error;
        const refusing = this.#connection;
        this.#connection = await this.#context.connection();
        if (this.#connection === refusing) throw error;
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

  async #openThread(): Promise<string> {
    const { threadId, cwd, model, sandbox, approvalPolicy, ephemeral } = this.#options;
    const shared = {
      cwd: cwd ?? null,
      model: model ?? null,
      sandbox: sandbox ?? null,
      approvalPolicy,
    };
    this.#connection ??= await this.#context.connection();
    const answer =
      threadId === undefined
        ? this.#request("thread/start", { ...shared, ephemeral: ephemeral ?? null })
        : this.#request("thread/resume", {
            ...shared,
            threadId,
            excludeTurns: true,
            ...this.#wishes(),
          });
    const opened = (await this.#unlessReplaced(this.#connection, answer)) as v2.ThreadStartResponse;
    const heardOver = this.#connection;
    void heardOver?.closed.then((cause) => {
      // The turn may have begun elsewhere since.
      if (heardOver === this.#connection) this.#terminal.reject(cause);
    });
    this.#opened = opened;
    this.#threadId = opened.thread.id;
    this.#events.push({
      type: "thread.started",
      threadId: opened.thread.id,
      resumed: threadId !== undefined,
      model: opened.model,
      cwd: opened.cwd,
    });
    this.#own.openThread(opened.thread.id);
    if (this.#joins && opened.thread.status.type !== "active") {
      throw new BrokerError("invalidRequest", `No turn runs on thread ${opened.thread.id}.`, {
        details: { threadId: opened.thread.id },
        hint: "`codex-broker status` shows the turns that run.",
      });
    }
    return opened.thread.id;
  }

  /** A thread may be opened twice without harm: no use to wait for a broker on its way out. */
  async #unlessReplaced(connection: Connection, answer: Promise<unknown>): Promise<unknown> {
    // A turn that is joined runs in that broker and nowhere else.
    if (this.#joins) return await answer;
    const replaced = this.#context.replaced(connection).then(() => {
      throw new BrokerError("draining", "The broker was replaced before it had opened the thread.");
    });
    return await Promise.race([answer, replaced]);
  }

  async #startTurn(threadId: string): Promise<void> {
    if (this.#joins) return this.#own.claim(undefined);
    this.#asked = true;
    const connection = (this.#connection ??= await this.#context.connection());
    this.#mayHaveBegun = !this.#context.wasReplaced(connection);
    const answer = await this.#askToBegin(threadId);
    const turn = isRecord(answer) ? answer["turn"] : undefined;
    this.#own.claim(isRecord(turn) && typeof turn["id"] === "string" ? turn["id"] : undefined);
    this.#interruptIfKnown();
  }

  #askToBegin(threadId: string): Promise<unknown> {
    const { prompt, target, effort, outputSchema } = this.#options;
    if (target !== undefined) {
      return this.#request("review/start", { threadId, target, ...this.#wishes() });
    }
    const input =
      typeof prompt === "string" ? [{ type: "text", text: prompt, text_elements: [] }] : prompt;
    return this.#request("turn/start", {
      threadId,
      input,
      ...this.#asking(),
      ...(effort === undefined ? {} : { effort }),
      ...(outputSchema === undefined ? {} : { outputSchema }),
      ...this.#wishes(),
    });
  }

  get #joins(): boolean {
    return this.#options.prompt === undefined && this.#options.target === undefined;
  }

  /** What is meant for the broker alone. */
  #wishes(): { broker?: WhenBusy } {
    const { whenBusy, timeoutMs } = this.#options;
    if (whenBusy !== "queue") return {};
    const deadline = timeoutMs === undefined ? {} : { deadlineMs: timeoutMs };
    return { broker: { whenBusy, ticket: this.#ticket, ...deadline } };
  }

  /** Should it have begun meanwhile, its id is on its way, and then it is interrupted. */
  #leaveQueue(): void {
    if (this.#options.whenBusy !== "queue") return;
    const params = { threadId: this.#threadId, ticket: this.#ticket };
    this.#request("broker/unqueue", params).catch(() => {
      // The connection has ended, and the wait with it.
    });
  }

  #asking(): { approvalPolicy?: v2.AskForApproval } {
    const { policy } = this.#options;
    if (policy === undefined || this.#opened === undefined) return {};
    const approvalPolicy = approvalPolicyThatAsks(policy, this.#opened);
    return approvalPolicy === undefined ? {} : { approvalPolicy };
  }

  /** Another session's turn can ask in the same thread before this one has begun. */
  #isOurs({ threadId, turnId }: Place): boolean {
    if (this.#threadId === undefined) return false;
    if (threadId !== this.#threadId) {
      return this.#context.inbox.isSubAgentOf(threadId, this.#threadId);
    }
    return turnId === undefined || turnId === null || turnId === this.turnId;
  }

  #answer(method: string, params: unknown, context: QuestionContext): unknown {
    const { policy, onQuestion } = this.#options;
    const { item } = context;
    const allowed = policy && answerByPolicy(policy, { method, params, item });
    if (allowed === undefined) {
      const signal = AbortSignal.any([context.signal, this.#over.signal]);
      return onQuestion?.(method, params, { ...context, signal });
    }
    this.#events.push({ type: "question.allowed", method, params });
    return allowed;
  }

  async #request(method: string, params: unknown): Promise<unknown> {
    this.#connection ??= await this.#context.connection();
    return await this.#connection.request(method, params);
  }

  /** The terminal event; bounded once the turn was told to end. */
  async #end(): Promise<v2.Turn> {
    const turn = await this.#terminal.promise;
    await this.#interrupting?.catch(() => {});
    return turn;
  }

  #hear(method: string, params: Record<string, unknown>): void {
    if (method === "broker/queued" && params["ticket"] !== this.#ticket) return;
    this.#stall.heard(method, params);
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
    if (event.type === "item.completed") this.#noteMessage(event.item);
    if (event.type === "turn.completed") this.#terminal.resolve(event.turn);
  }

  /** Of a review, what its reviewer has handed over. */
  #noteMessage(item: v2.ThreadItem): void {
    if (this.#options.target !== undefined) {
      if (item.type !== "exitedReviewMode") return;
      this.#message = item.review;
      this.#answered = true;
    } else if (item.type === "agentMessage") {
      this.#message = item.text;
      this.#answered = item.phase !== "commentary";
    }
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
    this.#interrupting = this.#request("turn/interrupt", params).then(
      () => this.#boundTheEnd(),
      // It had ended already, or the connection has: either way the terminal event says so.
      () => this.#boundTheEnd(),
    );
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
      message: this.#message,
      error: turn.error,
      durationMs: Math.round(monotonicMs() - this.#startedAt),
      usage: this.#usage,
    };
  }

  /**
   * The final message came, but its terminal event was lost with the connection: Codex's own history
   * says whether the turn had ended.
   */
  async #reconcile(error: unknown): Promise<v2.Turn | undefined> {
    if (!isLoss(error) || !this.#answered || this.#threadId === undefined) return undefined;
    const threadId = this.#threadId;
    const ask = async (): Promise<v2.Turn | undefined> => {
      const page = await this.#context.lookUp(threadId);
      return page.data.find((turn) => turn.id === this.turnId && turn.status === "completed");
    };
    return await Deadline.after(RECONCILE_LIMIT_MS)
      .race(ask(), () => new Error("too late"))
      .catch(() => undefined);
  }

  /** What the caller is told when there is no terminal event. */
  #explain(error: unknown): unknown {
    if (this.#intent !== undefined && isKind(error, "turnInterrupted", "timedOut")) {
      return endedBeforeItBegan(this.#intent);
    }
    if (error instanceof RpcError) return explainRefusal(error);
    if (!isLoss(error) || error.kind === "turnLost" || this.#threadId === undefined) return error;
    return new BrokerError("turnLost", `The turn was lost: ${error.message}`, {
      cause: error,
      details: { threadId: this.#threadId, turnId: this.turnId ?? null },
      hint: `Continue the thread with \`codex-broker run --resume ${this.#threadId}\`.`,
    });
  }
}

/** The connection or the app-server behind it has gone. */
function isLoss(error: unknown): error is BrokerError {
  return isKind(error, "connectionLost", "connectionClosed", "turnLost", "appServerExited");
}

function isKind(error: unknown, ...kinds: readonly ErrorKind[]): error is BrokerError {
  return BrokerError.is(error) && kinds.includes(error.kind);
}

function endedBeforeItBegan(intent: Intent): BrokerError {
  return intent === "timedOut"
    ? new BrokerError("timedOut", "The time was up before the turn began.")
    : new BrokerError("turnInterrupted", "The turn was interrupted before it began.");
}

function lostAsTold(params: Record<string, unknown>): BrokerError {
  const told = params["error"];
  if (!isRecord(told) || !isErrorKind(told["kind"])) {
    return new BrokerError("turnLost", "The turn was lost.");
  }
  return new BrokerError(told["kind"], String(told["message"]), {
    hint: String(told["hint"]),
    ...(isRecord(told["details"]) ? { details: told["details"] } : {}),
  });
}

const CONFIG_BROKEN = /failed to load configuration/i;

/** Refusals whose cure is known become errors of ours, with the cause kept. */
function explainRefusal(error: RpcError): BrokerError | RpcError {
  if (!CONFIG_BROKEN.test(error.message)) return error;
  return new BrokerError(
    "codexConfigInvalid",
    `Codex cannot load its configuration: ${error.message}`,
    {
      cause: error,
    },
  );
}
