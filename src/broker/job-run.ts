import { BrokerError } from "../base/errors.ts";
import { Deadline, monotonicMs, startTimer, type Timer } from "../base/deadline.ts";
import { deferred } from "../base/deferred.ts";
import { trace } from "../base/trace.ts";
import type { Journal } from "../jobs/journal.ts";
import { ItemsInProgress } from "../policy/items-in-progress.ts";
import { answerByPolicy, approvalPolicyThatAsks } from "../policy/policy.ts";
import type { JobRequest, JobStarted, Outcome, RunningJob } from "../wire/job-protocol.ts";
import { isRecord, rpcErrorOf } from "../wire/messages.ts";
import { ShortfallBook } from "../wire/shortfalls.ts";
import { closesThread } from "../wire/thread-ends.ts";
import { InnerSession } from "./inner-session.ts";
import type { Router } from "./router.ts";

/** The router needs 13 s to find that a turn goes on. */
const CANCEL_ANSWERED_WITHIN_MS = 20_000;

const CLOSED = { message: "Codex closed the thread while the turn ran." };

/** Why the turn is being ended from this side. */
type Intent = Extract<Outcome, "cancelled" | "timedOut">;

export interface JobRunOptions {
  readonly journal: Journal;
  readonly router: Router;
  readonly codex: string | null;
  readonly workspace: string;
  readonly endsBecause: () => string | undefined;
}

type Opened = Readonly<Record<string, unknown>>;
type Approving = Parameters<typeof approvalPolicyThatAsks>[1];

/** One job from its start to its end: a turn that belongs to nobody who could go away. */
export class JobRun {
  readonly id: string;
  readonly #request: JobRequest;
  readonly #journal: Journal;
  readonly #session: InnerSession;
  readonly #options: JobRunOptions;
  readonly #createdAt = monotonicMs();
  readonly #items = new ItemsInProgress();
  readonly #ended = deferred<Outcome>();
  readonly #stuck = deferred<null>();
  #threadId: string | undefined;
  /** Present from when the turn was asked for: before that, what is heard of turns is of others'. */
  #opened: Opened | undefined;
  #turnId: string | undefined;
  /** Its turn's ids: a review runs under another one than that of its response. */
  readonly #turnIds = new Set<unknown>();
  /** Ends of turns that came before the id of the job's own turn was known. */
  readonly #earlyEnds: Array<() => void> = [];
  readonly #shortfalls = new ShortfallBook();
  #message = "";
  #usage: unknown;
  #intent: Intent | undefined;
  #timer: Timer | undefined;
  #isStuck = false;
  #over = false;

  constructor(id: string, request: JobRequest, options: JobRunOptions) {
    this.id = id;
    this.#request = request;
    this.#options = options;
    this.#journal = options.journal;
    this.#ended.promise.catch(() => {});
    this.#session = new InnerSession(options.router, {
      onNotification: (method, params) => this.#hear(method, params),
      onQuestion: (method, params) => this.#answer(method, params),
    });
  }

  /** Settles when the journal is complete. Rejects with the cause when no turn began. */
  get ended(): Promise<Outcome> {
    return this.#ended.promise;
  }

  /** Its turn went on in spite of two interrupts. */
  get isStuck(): boolean {
    return this.#isStuck;
  }

  status(): RunningJob {
    return {
      job: this.id,
      threadId: this.#threadId ?? null,
      turnId: this.#turnId ?? null,
      ageMs: Math.round(monotonicMs() - this.#createdAt),
    };
  }

  /**
   * Resolves when the turn has begun.
   *
   * @throws BrokerError `turnInterrupted` when it was cancelled before; that stands in its journal.
   * @throws BrokerError or RpcError why it could not begin.
   */
  async start(): Promise<JobStarted> {
    try {
      const opened = await this.#openThread();
      const threadId = this.#threadId!;
      if (this.#intent !== undefined) {
        this.#end(this.#intent, null);
        throw new BrokerError("turnInterrupted", `Job ${this.id} was cancelled before it began.`);
      }
      this.#opened = opened;
      const turnId = await this.#startWork(threadId);
      this.#begun(turnId);
      return { job: this.id, threadId, turnId };
    } catch (error) {
      await this.#comeToNothing(error);
      throw error;
    }
  }

  /** Applied as soon as there is a turn that could be interrupted. The router follows it to its end. */
  interrupt(intent: Intent): void {
    this.#intent ??= intent;
    const turn = { threadId: this.#threadId, turnId: this.#turnId };
    if (turn.turnId === undefined || this.#over) return;
    this.#session.request("turn/interrupt", turn).catch((error: unknown) => {
      // It had ended already, or will be lost with the app-server: its end says so.
      trace("info", "job.notInterrupted", { job: this.id, error: String(error) });
    });
  }

  /** @returns how it ended, or null when that is not confirmed. @throws why no turn came of it. */
  async cancel(): Promise<Outcome | null> {
    this.interrupt("cancelled");
    const settled = Promise.race([this.#ended.promise, this.#stuck.promise]);
    const late = new Error("not yet");
    return await Deadline.after(CANCEL_ANSWERED_WITHIN_MS)
      .race(settled, () => late)
      .catch((error: unknown) => {
        if (error === late) return null;
        throw error;
      });
  }

  /** The turn goes on though it was interrupted. */
  stuck(): void {
    this.#isStuck = true;
    this.#stuck.resolve(null);
  }

  async #openThread(): Promise<Opened> {
    const { threadId, cwd, model, sandbox, permissions, config, approvalPolicy } = this.#request;
    const shared = {
      cwd,
      model,
      sandbox,
      ...(permissions === null ? {} : { permissions }),
      ...(config === null ? {} : { config }),
      ...(approvalPolicy === null ? {} : { approvalPolicy }),
    };
    const opened =
      threadId === null
        ? await this.#session.request("thread/start", shared)
        : await this.#session.request("thread/resume", { ...shared, threadId, excludeTurns: true });
    const thread = isRecord(opened) ? opened["thread"] : undefined;
    if (!isRecord(opened) || !isRecord(thread) || typeof thread["id"] !== "string") {
      throw new BrokerError("invalidAnswer", "Codex has opened a thread without a name.");
    }
    this.#threadId = thread["id"];
    return opened;
  }

  async #startWork(threadId: string): Promise<string> {
    const { kind, target } = this.#request;
    const answer =
      kind === "review"
        ? await this.#session.request("review/start", { threadId, target })
        : await this.#session.request("turn/start", this.#turnFor(threadId));
    const turn = isRecord(answer) ? answer["turn"] : undefined;
    const id = isRecord(turn) ? turn["id"] : undefined;
    if (typeof id === "string") {
      this.#turnIds.add(id);
      return id;
    }
    if (this.#turnId !== undefined) return this.#turnId;
    throw new BrokerError("invalidAnswer", "Codex has started a turn without a name.");
  }

  #turnFor(threadId: string): Readonly<Record<string, unknown>> {
    const { prompt, effort, outputSchema, policy } = this.#request;
    const opened = this.#opened as Approving;
    const asking = policy === null ? undefined : approvalPolicyThatAsks(policy, opened);
    this.#opened = { ...this.#opened, approvalPolicy: asking ?? opened.approvalPolicy };
    const input =
      typeof prompt === "string" ? [{ type: "text", text: prompt, text_elements: [] }] : prompt;
    return {
      threadId,
      input,
      ...(asking === undefined ? {} : { approvalPolicy: asking }),
      ...(effort === null ? {} : { effort }),
      ...(outputSchema === null ? {} : { outputSchema }),
    };
  }

  /** At the first evidence: the answer, or an event if that comes first. */
  #begun(turnId: string): void {
    if (this.#turnId !== undefined || this.#over) return;
    this.#turnId = turnId;
    this.#turnIds.add(turnId);
    const opened = this.#opened ?? {};
    this.#journal.append({
      type: "started",
      at: new Date().toISOString(),
      threadId: this.#threadId!,
      turnId,
      codex: this.#options.codex,
      resolved: {
        model: textOf(opened["model"]),
        effort: this.#request.effort ?? textOf(opened["reasoningEffort"]),
        cwd: textOf(opened["cwd"]),
        sandbox: opened["sandbox"] ?? null,
        approvalPolicy: opened["approvalPolicy"] ?? null,
      },
    });
    const { timeoutMs } = this.#request;
    if (timeoutMs !== null) {
      this.#timer = startTimer(timeoutMs, () => this.interrupt("timedOut"));
    }
    if (this.#intent !== undefined) this.interrupt(this.#intent);
    for (const end of this.#earlyEnds.splice(0)) end();
  }

  /** What its policy allows; everything else is left to whoever has joined. */
  async #answer(method: string, params: unknown): Promise<unknown> {
    const { policy } = this.#request;
    if (policy === null || this.#opened === undefined) return undefined;
    const { workspace } = this.#options;
    const question = { method, params, item: this.#items.about(params), workspace };
    const answer = await answerByPolicy(policy, question);
    if (answer === undefined) return undefined;
    this.#journal.append({ type: "allowed", at: new Date().toISOString(), method, params });
    return answer;
  }

  #hear(method: string, params: unknown): void {
    this.#items.observe(method, params);
    this.#shortfalls.observe(method, params);
    if (!isRecord(params) || params["threadId"] !== this.#threadId) return;
    if (this.#opened === undefined || this.#over) return;
    if (closesThread(method)) return this.#end(this.#intent ?? "lost", CLOSED);
    if (this.#isAnothers(params["turnId"])) return;
    const at = new Date().toISOString();
    switch (method) {
      case "turn/started":
        return this.#learnTurn(params["turn"]);
      case "item/completed":
        this.#noteMessage(params["item"]);
        return this.#journal.append({ type: "item", at, item: params["item"] });
      case "thread/tokenUsage/updated":
        this.#usage = params["tokenUsage"];
        return;
      case "turn/completed":
        return this.#endOf(params["turn"], () => this.#completed(params["turn"]));
      case "broker/turnLost": {
        const { turnId: id, error } = params;
        // Whoever wanted its end has got it.
        const lose = (): void => this.#end(this.#intent ?? "lost", error);
        return id === null ? lose() : this.#endOf({ id }, lose);
      }
      default:
        return;
    }
  }

  #learnTurn(turn: unknown): void {
    if (!isRecord(turn)) return;
    const id = textOf(turn["rootTurnId"]) ?? textOf(turn["id"]);
    if (id === null) return;
    this.#begun(id);
    if (this.#turnIds.has(id)) this.#turnIds.add(turn["id"]);
  }

  /** Whether something of a turn is of one that ran, or was joined, on the thread before. */
  #isAnothers(turnId: unknown): boolean {
    return this.#turnId !== undefined && typeof turnId === "string" && !this.#turnIds.has(turnId);
  }

  /** Ends the job with its own turn: the end of the turn before may come late. */
  #endOf(turn: unknown, end: () => void): void {
    const { id, rootTurnId } = isRecord(turn) ? turn : {};
    const endOwn = (): void => {
      if (this.#turnIds.has(id) || this.#turnIds.has(rootTurnId)) end();
    };
    if (this.#turnId === undefined) this.#earlyEnds.push(endOwn);
    else endOwn();
  }

  /** The result of a review is what its reviewer has handed over, and not what is said about it. */
  #noteMessage(item: unknown): void {
    if (!isRecord(item)) return;
    const { type, text, review } = item;
    const isReview = this.#request.kind === "review";
    if (type === (isReview ? "exitedReviewMode" : "agentMessage")) {
      this.#message = String(isReview ? review : text);
    }
  }

  #completed(turn: unknown): void {
    const { status, error } = isRecord(turn) ? turn : {};
    if (status === "completed") return this.#end("completed", null);
    if (status === "interrupted") return this.#interrupted();
    this.#end("failed", error ?? rpcErrorOf(new Error(`the turn ended as ${String(status)}`)));
  }

  #interrupted(): void {
    if (this.#intent !== undefined) return this.#end(this.#intent, null);
    const why = this.#options.endsBecause();
    const by =
      why === undefined ? "by a session that had joined it" : `because its broker ended: ${why}`;
    this.#end("cancelled", { message: `it was interrupted ${by}` });
  }

  #end(outcome: Outcome, error: unknown): void {
    if (this.#over) return;
    const at = new Date().toISOString();
    if (this.#usage !== undefined) this.#journal.append({ type: "usage", at, usage: this.#usage });
    const shortfalls = this.#shortfalls.of(
      this.#threadId,
      ({ threadId, turnId }) => threadId !== this.#threadId || !this.#isAnothers(turnId),
    );
    this.#journal.append({
      type: "ended",
      at,
      outcome,
      message: this.#message,
      error,
      ...shortfalls,
    });
    trace("info", "job.ended", { job: this.id, outcome });
    this.#finish();
    // A job that is said to have ended has its end on the disk.
    void this.#journal.close().then(() => this.#ended.resolve(outcome));
  }

  /** A job that was cancelled before its turn began keeps its journal. */
  async #comeToNothing(error: unknown): Promise<void> {
    if (this.#over) return void (await this.#ended.promise);
    this.#finish();
    await this.#journal.discard();
    this.#ended.reject(error);
  }

  #finish(): void {
    this.#over = true;
    this.#timer?.stop();
    this.#session.end();
  }
}

function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}
