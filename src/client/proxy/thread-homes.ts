import { messageOf } from "../../base/errors.ts";
import { Deadline } from "../../base/deadline.ts";
import type { AnswerFrame, RequestFrame } from "../../wire/frame.ts";
import { isRecord } from "../../wire/messages.ts";
import type { BrokerSession } from "./broker-session.ts";
import { THREAD_OPENERS } from "../../wire/method-kinds.ts";
import { threadIn } from "./frame-facts.ts";

/** The writer of a thread is let go of about a second after its broker began to drain. */
const RESUME_LIMIT_MS = 10_000;

/** After these the program does not hear the thread any more. */
const LEAVERS = new Set(["thread/unsubscribe", "thread/archive", "thread/delete"]);

/** Where each thread that the program hears is heard, and its way from one broker to the next. */
export class ThreadHomes {
  readonly #homes = new Map<string, BrokerSession>();
  /** The `config` that a thread was opened with: Codex keeps everything else of it by itself. */
  readonly #configs = new Map<string, unknown>();
  /** Threads that are on their way to the current broker. */
  readonly #resuming = new Map<string, Promise<void>>();
  readonly #onLost: (threadId: string, why: string) => void;

  /** @param onLost called for a thread that could not be taken along: the program hears it no more. */
  constructor(onLost: (threadId: string, why: string) => void) {
    this.#onLost = onLost;
  }

  /** The broker that runs the thread's turn. */
  runningAt(threadId: string): BrokerSession | undefined {
    const home = this.#homes.get(threadId);
    return home?.runsTurnOf(threadId) === true ? home : undefined;
  }

  /** Settles when the thread has arrived, or cannot; undefined when it is not on its way. */
  arrival(threadId: string): Promise<void> | undefined {
    return this.#resuming.get(threadId);
  }

  /** The app-server has done what the program asked for. */
  answered({ method, params }: RequestFrame, { result }: AnswerFrame, at: BrokerSession): void {
    const asked = threadIn(params);
    if (asked !== undefined && LEAVERS.has(method)) this.forget(asked);
    const thread = THREAD_OPENERS.has(method) && isRecord(result) ? result["thread"] : undefined;
    if (!isRecord(thread)) return;
    const threadId = String(thread["id"]);
    this.#homes.set(threadId, at);
    if (isRecord(params) && isRecord(params["config"])) {
      this.#configs.set(threadId, params["config"]);
    }
  }

  forget(threadId: string): void {
    this.#homes.delete(threadId);
    this.#configs.delete(threadId);
  }

  /** What is heard there and has no turn running is heard at the other broker from now on. */
  takeOver(left: BrokerSession, next: BrokerSession): void {
    for (const [threadId, home] of this.#homes) {
      if (home !== left || left.runsTurnOf(threadId)) continue;
      this.#homes.set(threadId, next);
      const resuming = this.#resume(threadId, next).finally(() => {
        if (this.#resuming.get(threadId) === resuming) this.#resuming.delete(threadId);
      });
      this.#resuming.set(threadId, resuming);
    }
  }

  async #resume(threadId: string, at: BrokerSession): Promise<void> {
    const config = this.#configs.get(threadId);
    const params = { threadId, excludeTurns: true, ...(config === undefined ? {} : { config }) };
    try {
      const deadline = Deadline.after(RESUME_LIMIT_MS);
      await at.connection.request("thread/resume", params, { deadline });
    } catch (error) {
      // Where this broker goes as well, the thread is taken over from here in its turn.
      if (at.draining !== undefined || at.connection.endCause !== undefined) return;
      if (this.#homes.get(threadId) !== at) return;
      this.forget(threadId);
      this.#onLost(threadId, messageOf(error));
    }
  }
}
