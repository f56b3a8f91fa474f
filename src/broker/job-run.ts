import { BrokerError } from "../base/errors.ts";
import { clampTimer, Deadline, monotonicMs } from "../base/deadline.ts";
import { deferred } from "../base/deferred.ts";
import { trace } from "../base/trace.ts";
import type { Journal } from "../jobs/journal.ts";
import type { JobRequest, JobStarted, Outcome, RunningJob } from "../wire/job-protocol.ts";
import { isRecord, rpcErrorOf } from "../wire/messages.ts";
import { InnerSession } from "./inner-session.ts";
import type { Router } from "./router.ts";

/** An interrupted turn ends within milliseconds, one that has processes to end within some seconds. */
const CANCEL_CONFIRMED_WITHIN_MS = 10_000;

/** Why the turn is being ended from this side. */
type Intent = Extract<Outcome, "cancelled" | "timedOut">;

/** One job from its start to its end: a turn that belongs to nobody who could go away. */
export class JobRun {
  readonly id: string;
  readonly #request: JobRequest;
  readonly #journal: Journal;
  readonly #session: InnerSession;
  readonly #codex: string | null;
  readonly #createdAt = monotonicMs();
  readonly #ended = deferred<Outcome>();
  #threadId: string | undefined;
  #turnId: string | undefined;
  #message = "";
  #usage: unknown;
  #intent: Intent | undefined;
  #timer: NodeJS.Timeout | undefined;
  #over = false;

  constructor(
    id: string,
    request: JobRequest,
    through: { readonly journal: Journal; readonly router: Router; readonly codex: string | null },
  ) {
    this.id = id;
    this.#request = request;
    this.#journal = through.journal;
    this.#codex = through.codex;
    this.#session = new InnerSession(through.router, (method, params) =>
      this.#hear(method, params),
    );
  }

  get ended(): Promise<Outcome> {
    return this.#ended.promise;
  }

  status(): RunningJob {
    return {
      job: this.id,
      threadId: this.#threadId ?? null,
      turnId: this.#turnId ?? null,
      ageMs: Math.round(monotonicMs() - this.#createdAt),
    };
  }

  /** Resolves when the turn has begun. @throws BrokerError or RpcError; then nothing has come of it. */
  async start(): Promise<JobStarted> {
    try {
      const opened = await this.#openThread();
      const threadId = this.#threadId!;
      const turnId = await this.#startTurn(threadId);
      this.#turnId = turnId;
      this.#journal.append({
        type: "started",
        at: new Date().toISOString(),
        threadId,
        turnId,
        codex: this.#codex,
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
        this.#timer = setTimeout(() => this.#interrupt("timedOut"), clampTimer(timeoutMs));
      }
      return { job: this.id, threadId, turnId };
    } catch (error) {
      this.#close();
      throw error;
    }
  }

  /** @returns how it ended, or null when its end is not confirmed yet. */
  async cancel(): Promise<Outcome | null> {
    this.#interrupt("cancelled");
    const unconfirmed = new Error("not yet");
    return await Deadline.after(CANCEL_CONFIRMED_WITHIN_MS)
      .race(this.#ended.promise, () => unconfirmed)
      .catch((error: unknown) => {
        if (error === unconfirmed) return null;
        throw error;
      });
  }

  async #openThread(): Promise<Readonly<Record<string, unknown>>> {
    const { threadId, cwd, model, sandbox, approvalPolicy } = this.#request;
    const shared = {
      cwd,
      model,
      sandbox,
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

  async #startTurn(threadId: string): Promise<string> {
    const { prompt, effort, outputSchema } = this.#request;
    const input =
      typeof prompt === "string" ? [{ type: "text", text: prompt, text_elements: [] }] : prompt;
    const answer = await this.#session.request("turn/start", {
      threadId,
      input,
      ...(effort === null ? {} : { effort }),
      ...(outputSchema === null ? {} : { outputSchema }),
    });
    const turn = isRecord(answer) ? answer["turn"] : undefined;
    const id = isRecord(turn) ? turn["id"] : undefined;
    if (typeof id === "string") return id;
    throw new BrokerError("invalidAnswer", "Codex has started a turn without a name.");
  }

  #interrupt(intent: Intent): void {
    this.#intent ??= intent;
    const turn = { threadId: this.#threadId, turnId: this.#turnId };
    if (turn.turnId === undefined || this.#over) return;
    this.#session.request("turn/interrupt", turn).catch((error: unknown) => {
      // It had ended already, or will be lost with the app-server: its end says so.
      trace("info", "job.notInterrupted", { job: this.id, error: String(error) });
    });
  }

  #hear(method: string, params: unknown): void {
    if (!isRecord(params) || params["threadId"] !== this.#threadId || this.#over) return;
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
        return this.#completed(params["turn"]);
      case "broker/turnLost":
        return this.#end("lost", params["error"]);
      default:
        return;
    }
  }

  /** Asked to end before its beginning was known. */
  #learnTurn(turn: unknown): void {
    if (!isRecord(turn) || typeof turn["id"] !== "string") return;
    this.#turnId ??= turn["id"];
    if (this.#intent !== undefined) this.#interrupt(this.#intent);
  }

  #noteMessage(item: unknown): void {
    if (!isRecord(item) || item["type"] !== "agentMessage") return;
    this.#message = String(item["text"]);
  }

  #completed(turn: unknown): void {
    const { status, error } = isRecord(turn) ? turn : {};
    if (status === "completed") return this.#end("completed", null);
    if (status === "interrupted") return this.#end(this.#intent ?? "cancelled", null);
    this.#end("failed", error ?? rpcErrorOf(new Error(`the turn ended as ${String(status)}`)));
  }

  #end(outcome: Outcome, error: unknown): void {
    if (this.#over) return;
    const at = new Date().toISOString();
    if (this.#usage !== undefined) this.#journal.append({ type: "usage", at, usage: this.#usage });
    this.#journal.append({ type: "ended", at, outcome, message: this.#message, error });
    trace("info", "job.ended", { job: this.id, outcome });
    this.#close();
    this.#ended.resolve(outcome);
  }

  #close(): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    this.#journal.close();
    this.#session.end();
  }
}

function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}
