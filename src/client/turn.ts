import type { v2 } from "../app-server/generated/index.ts";
import { BrokerError, isErrorKind, type ErrorKind } from "../base/errors.ts";
import { Deadline, monotonicMs } from "../base/deadline.ts";
import { deferred } from "../base/deferred.ts";
import type { Connection } from "../wire/connection.ts";
import { isRecord, RpcError } from "../wire/messages.ts";
import { EventQueue } from "./event-queue.ts";
import type { Inbox, QuestionHandler } from "./inbox.ts";
import { toTurnEvent, type TurnEvent } from "./turn-event.ts";

/** Brokers may be replaced more than once while a turn begins, but not for ever. */
const BEGIN_ATTEMPTS = 5;
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
  /** Milliseconds after which the turn is interrupted. Default: none, a turn may run for hours. */
  readonly timeoutMs?: number;
  /** Interrupts the turn. */
  readonly signal?: AbortSignal;
  /** Answers approvals and other questions of this turn. Default: the client's handler, else a refusal. */
  readonly onQuestion?: QuestionHandler;
}

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
  readonly #options: TurnOptions;
  readonly #events = new EventQueue<TurnEvent>();
  readonly #terminal = deferred<v2.Turn>();
  readonly #startedAt = monotonicMs();
  readonly #early: Array<[method: string, params: unknown]> = [];
  #connection: Connection | undefined;
  #threadId: string | undefined;
  #turnId: string | undefined;
  #message = "";
  #answered = false;
  #usage: v2.ThreadTokenUsage | null = null;
  #intent: Intent | undefined;
  #interrupting: Promise<void> | undefined;

  constructor(context: TurnContext, options: TurnOptions) {
    this.#context = context;
    this.#options = options;
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
    return this.#turnId;
  }

  [Symbol.asyncIterator](): AsyncIterator<TurnEvent> {
    return this.#events[Symbol.asyncIterator]();
  }

  /** Asks Codex to end the turn; `result` then says how it ended. May be called at any moment. */
  interrupt(intent: Intent = "interrupted"): void {
    this.#intent ??= intent;
    this.#interruptIfKnown();
  }

  async #run(): Promise<TurnResult> {
    const { inbox } = this.#context;
    const { signal, timeoutMs } = this.#options;
    const abort = (): void => this.interrupt();
    const undo: Array<() => unknown> = [
      inbox.listen((method, params) => this.#hear(method, params)),
    ];
    inbox.busy(true);
    const timer =
      timeoutMs === undefined ? undefined : setTimeout(() => this.interrupt("timedOut"), timeoutMs);
    try {
      signal?.throwIfAborted();
      signal?.addEventListener("abort", abort, { once: true });
      await this.#begin(undo);
      void this.#connection?.closed.then((cause) => this.#terminal.reject(cause));
      return this.#resultOf(await this.#end());
    } catch (error) {
      const turn = await this.#reconcile(error);
      if (turn !== undefined) return this.#resultOf(turn);
      throw this.#explain(error);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      for (const step of undo) step();
      inbox.busy(false);
    }
  }

  /** A broker that is being replaced refuses what begins; then it begins at the successor. */
  async #begin(undo: Array<() => unknown>): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const threadId = await this.#openThread();
        this.#context.onThread(threadId);
        if (this.#options.onQuestion !== undefined) {
          undo.push(this.#context.inbox.answerFor(threadId, this.#options.onQuestion));
        }
        if (this.#intent !== undefined) throw endedBeforeItBegan(this.#intent);
        return await this.#startTurn(threadId);
      } catch (error) {
        if (!this.#neverBegan(error) || attempt === BEGIN_ATTEMPTS) throw error;
        this.#connection = undefined;
        this.#threadId = undefined;
      }
    }
  }

  /** Refused by a broker that is being replaced, or lost with one that would have refused it. */
  #neverBegan(error: unknown): boolean {
    if (!BrokerError.is(error) || this.#turnId !== undefined) return false;
    if (error.kind === "draining") return true;
    const connection = this.#connection;
    return isLoss(error) && connection !== undefined && this.#context.wasReplaced(connection);
  }

  async #openThread(): Promise<string> {
    const { threadId, cwd, model, sandbox, approvalPolicy, ephemeral } = this.#options;
    const shared = {
      cwd: cwd ?? null,
      model: model ?? null,
      sandbox: sandbox ?? null,
      approvalPolicy,
    };
    const answer =
      threadId === undefined
        ? await this.#request("thread/start", { ...shared, ephemeral: ephemeral ?? null })
        : await this.#request("thread/resume", { ...shared, threadId, excludeTurns: true });
    const opened = answer as v2.ThreadStartResponse;
    void this.#connection?.closed.then((cause) => this.#terminal.reject(cause));
    this.#threadId = opened.thread.id;
    this.#events.push({
      type: "thread.started",
      threadId: opened.thread.id,
      resumed: threadId !== undefined,
      model: opened.model,
      cwd: opened.cwd,
    });
    return opened.thread.id;
  }

  async #startTurn(threadId: string): Promise<void> {
    const { prompt, effort, outputSchema } = this.#options;
    const input =
      typeof prompt === "string" ? [{ type: "text", text: prompt, text_elements: [] }] : prompt;
    const answer = await this.#request("turn/start", {
      threadId,
      input,
      ...(effort === undefined ? {} : { effort }),
      ...(outputSchema === undefined ? {} : { outputSchema }),
    });
    const turn = isRecord(answer) ? answer["turn"] : undefined;
    if (isRecord(turn) && typeof turn["id"] === "string") this.#learnTurnId(turn["id"]);
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

  #hear(method: string, params: unknown): void {
    if (this.#threadId === undefined) {
      // The first events of a new thread can come before the answer that names it.
      this.#early.push([method, params]);
      return;
    }
    for (const [earlyMethod, earlyParams] of this.#early.splice(0)) {
      this.#hearNow(earlyMethod, earlyParams);
    }
    this.#hearNow(method, params);
  }

  #hearNow(method: string, params: unknown): void {
    if (!isRecord(params) || params["threadId"] !== this.#threadId) return;
    const event = toTurnEvent(method, params);
    this.#observe(method, params, event);
    this.#events.push(event);
  }

  #observe(method: string, params: Record<string, unknown>, event: TurnEvent): void {
    if (method === "broker/turnLost") return this.#terminal.reject(lostAsTold(params));
    if (event.type === "turn.started") this.#learnTurnId(event.turnId);
    if (event.type === "usage") this.#usage = event.usage;
    if (event.type === "item.completed" && event.item.type === "agentMessage") {
      this.#message = event.item.text;
      this.#answered = event.item.phase !== "commentary";
    }
    if (method !== "turn/completed") return;
    const turn = params["turn"] as v2.Turn;
    if (this.#turnId === undefined || turn.id === this.#turnId) {
      this.#turnId = turn.id;
      this.#terminal.resolve(turn);
    }
  }

  #learnTurnId(id: string): void {
    if (this.#turnId !== undefined) return;
    this.#turnId = id;
    this.#interruptIfKnown();
  }

  /** An early wish to end the turn is kept until its id is known. */
  #interruptIfKnown(): void {
    if (
      this.#intent === undefined ||
      this.#turnId === undefined ||
      this.#interrupting !== undefined
    ) {
      return;
    }
    const params = { threadId: this.#threadId, turnId: this.#turnId };
    this.#interrupting = this.#request("turn/interrupt", params).then(
      () => this.#boundTheEnd(),
      // It had ended already, or the connection has: either way the terminal event says so.
      () => this.#boundTheEnd(),
    );
  }

  #boundTheEnd(): void {
    const tooLong = (): BrokerError =>
      new BrokerError("turnLost", "The turn was interrupted, but its end was not confirmed.", {
        details: { threadId: this.#threadId, turnId: this.#turnId },
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
      return page.data.find((turn) => turn.id === this.#turnId && turn.status === "completed");
    };
    return await Deadline.after(RECONCILE_LIMIT_MS)
      .race(ask(), () => new Error("too late"))
      .catch(() => undefined);
  }

  /** What the caller is told when there is no terminal event. */
  #explain(error: unknown): unknown {
    if (error instanceof RpcError) return explainRefusal(error);
    if (!BrokerError.is(error) || this.#threadId === undefined) return error;
    if (!isLoss(error) || error.kind === "turnLost") return error;
    return new BrokerError("turnLost", `The turn was lost: ${error.message}`, {
      cause: error,
      details: { threadId: this.#threadId, turnId: this.#turnId ?? null },
      hint: `Continue the thread with \`codex-broker run --resume ${this.#threadId}\`.`,
    });
  }
}

/** The connection or the app-server behind it has gone. */
function isLoss(error: unknown): boolean {
  return BrokerError.is(error) && LOSSES.has(error.kind);
}

const LOSSES: ReadonlySet<ErrorKind> = new Set([
  "connectionLost",
  "connectionClosed",
  "turnLost",
  "appServerExited",
]);

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
