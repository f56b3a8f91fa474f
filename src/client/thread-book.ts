import { BrokerError } from "../base/errors.ts";
import { Deadline } from "../base/deadline.ts";
import { trace } from "../base/trace.ts";
import type { WhenBusy } from "../wire/broker-protocol.ts";
import type { Connection } from "../wire/connection.ts";
import { isRecord } from "../wire/messages.ts";
import { THREAD_OPENERS, TURN_STARTERS } from "../wire/method-kinds.ts";
import type { OpenWork } from "./open-work.ts";
import {
  NO_SETTINGS,
  repairs,
  resumeParameters,
  withParameters,
  withReport,
  withResponse,
  type ThreadSettings,
} from "./thread-settings.ts";

/** For a predecessor to let go of an idle thread, and for the thread's MCP servers to start. */
const RESUME_LIMIT_MS = 30_000;
/** The turn of a thread that another broker holds may take as long as it takes. */
const FOLLOW_LIMIT_MS = 30 * 24 * 3_600_000;
/** Threads that were left are remembered with their settings, the latest ones. */
const MAX_REMEMBERED = 1_000;

/** After these the client is not subscribed to the thread any more. */
const LEAVERS = new Set(["thread/unsubscribe", "thread/archive", "thread/delete"]);
const ENDS_OF_THREADS = new Set(["thread/deleted", "thread/archived"]);

/** One of a client's connections, with what is still to come over it. */
export interface ThreadHome {
  readonly link: { readonly connection: Connection };
  readonly work: OpenWork;
}

export interface ThreadBookEvents {
  /** The client has left the thread, by a request of its own. */
  readonly onLeft?: (threadId: string) => void;
  /** The thread could not be taken along to a successor, for good. */
  readonly onLost?: (threadId: string, why: Error) => void;
}

/**
 * The threads of one client, whichever broker holds them: on which connection it is subscribed to each,
 * with which settings, and the way of each from one broker to its successor.
 */
export class ThreadBook<H extends ThreadHome> {
  readonly #events: ThreadBookEvents;
  readonly #homes = new Map<string, H>();
  readonly #settings = new Map<string, ThreadSettings>();
  /** Threads that are on their way to the current broker. */
  readonly #resuming = new Map<string, Promise<void>>();
  /** Threads that are not at their home yet because another broker still holds them. */
  readonly #held = new Map<string, BrokerError>();

  constructor(events: ThreadBookEvents = {}) {
    this.#events = events;
  }

  homeOf(threadId: string): H | undefined {
    return this.#homes.get(threadId);
  }

  /** Whether nothing has to be brought there first: the thread is there, or is not this client's. */
  isAt(threadId: string, home: H): boolean {
    const at = this.#homes.get(threadId);
    return at === undefined || (at === home && !this.#held.has(threadId));
  }

  /** Whether the client has had the thread and left it, and it can be resumed as it was. */
  remembers(threadId: string): boolean {
    return !this.#homes.has(threadId) && this.#settings.has(threadId);
  }

  /** The connection on which the thread's turn runs, or may begin with the response to a request. */
  runningAt(threadId: string): H | undefined {
    const home = this.#homes.get(threadId);
    return home !== undefined && mayRun(home, threadId) ? home : undefined;
  }

  /** Settles when the thread has arrived, or cannot; undefined when it is not on its way. */
  arrival(threadId: string): Promise<void> | undefined {
    return this.#resuming.get(threadId);
  }

  /** A request was answered with a result. */
  answered(method: string, params: unknown, result: unknown, at: H): void {
    at.work.answered(method, params, result);
    const asked = threadIn(params);
    if (asked !== undefined && LEAVERS.has(method)) {
      this.leave(asked, at);
      if (method === "thread/delete") this.#settings.delete(asked);
      return;
    }
    if (asked !== undefined && TURN_STARTERS.has(method)) this.#turnBegan(asked, params, at);
    if (asked !== undefined && method === "thread/settings/update") this.#asked(asked, params);
    if (method === "broker/job/attach" && isRecord(result)) {
      const { threadId } = result;
      if (typeof threadId === "string") this.#homes.set(threadId, at);
    }
    if (THREAD_OPENERS.has(method)) this.opened(params, result, at);
  }

  /** The thread was opened on this connection, which is subscribed to it from now on. */
  opened(params: unknown, result: unknown, at: H): void {
    const threadId = openedThread(result);
    if (threadId === undefined) return;
    const known = this.#homes.has(threadId) ? this.#settings.get(threadId) : undefined;
    // Of a thread that is loaded already, Codex leaves the settings as they are.
    const before = known ?? withParameters(NO_SETTINGS, params);
    this.#remember(threadId, withResponse(before, result));
    this.#homes.set(threadId, at);
    this.#held.delete(threadId);
  }

  /** A notification has come over this connection. */
  heard(method: string, params: unknown, at: H): void {
    at.work.heard(method, params);
    const threadId = threadIn(params);
    if (threadId === undefined) return;
    if (ENDS_OF_THREADS.has(method)) this.#forget(threadId);
    if (method !== "thread/settings/updated" || !isRecord(params)) return;
    const before = this.#settings.get(threadId);
    if (before === undefined) return;
    this.#remember(threadId, withReport(before, params["threadSettings"]));
  }

  /** The client is not subscribed to the thread any more; its settings are kept. */
  leave(threadId: string, at: H): void {
    this.#homes.delete(threadId);
    this.#held.delete(threadId);
    at.work.left(threadId);
    this.#events.onLeft?.(threadId);
  }

  /** The parameters of a `thread/resume` by which the thread goes on with the settings it had. */
  asItWas(params: Readonly<Record<string, unknown>>): Record<string, unknown> {
    const { threadId } = params;
    const said = Object.entries(params).filter(
      ([, value]) => value !== null && value !== undefined,
    );
    const known = typeof threadId === "string" ? this.#settings.get(threadId) : undefined;
    if (known === undefined) return params;
    return { ...resumeParameters(withParameters(known, params)), ...Object.fromEntries(said) };
  }

  /**
   * The thread was opened for a turn. Sets what the resume could not, of what was asked for and of what
   * was in force when the client left the thread.
   *
   * @param asked the parameters that the turn asks for
   * @param sent those that were sent, with the settings that the thread had
   * @returns the response as it would be now.
   * @throws BrokerError or RpcError when the thread could not be given the sandbox or the approvals.
   */
  async openedForTurn(asked: unknown, sent: unknown, result: unknown, at: H): Promise<unknown> {
    const threadId = openedThread(result);
    if (threadId === undefined || !isRecord(result)) return result;
    const before = this.#homes.has(threadId) ? undefined : this.#settings.get(threadId);
    const wanted = withParameters(before ?? NO_SETTINGS, asked);
    this.opened(sent, result, at);
    try {
      const update = await this.#repair(threadId, wanted, result, at);
      if (update === undefined) return result;
      this.#asked(threadId, update);
      return { ...result, ...update };
    } catch (error) {
      this.leave(threadId, at);
      throw error;
    }
  }

  /**
   * Brings the thread to this connection before something begins on it, should it not be there.
   *
   * @param wish how long to wait while another broker runs its turn.
   * @throws BrokerError `threadBusy` while another broker holds the thread; RpcError as Codex answered.
   */
  async bring(threadId: string, to: H, wish?: WhenBusy): Promise<void> {
    await this.#resuming.get(threadId);
    const there = this.#homes.get(threadId) === to && !this.#held.has(threadId);
    if (there || !(this.#homes.has(threadId) || this.remembers(threadId))) return;
    await this.#resume(threadId, to, wish);
    this.#homes.set(threadId, to);
    this.#held.delete(threadId);
  }

  /** What is subscribed to there and has no turn running is subscribed to here from now on. */
  takeOver(left: H, next: H, stays: (threadId: string) => boolean = () => false): void {
    for (const [threadId, home] of this.#homes) {
      if (home !== left || stays(threadId) || mayRun(left, threadId)) continue;
      this.#homes.set(threadId, next);
      const resuming = this.#follow(threadId, next).finally(() => {
        if (this.#resuming.get(threadId) === resuming) this.#resuming.delete(threadId);
      });
      this.#resuming.set(threadId, resuming);
    }
  }

  async #follow(threadId: string, to: H): Promise<void> {
    try {
      await this.#resume(threadId, to);
      if (this.#homes.get(threadId) === to) this.#held.delete(threadId);
      else this.#unsubscribe(threadId, to);
    } catch (error) {
      this.#notResumed(threadId, to, error);
    }
  }

  #notResumed(threadId: string, to: H, error: unknown): void {
    trace("info", "client.notResumed", { threadId, error: String(error) });
    // Where that broker goes as well, the thread is taken over from there in its turn.
    if (to.link.connection.endCause !== undefined || this.#homes.get(threadId) !== to) return;
    if (BrokerError.is(error) && error.kind === "draining") return;
    if (BrokerError.is(error) && error.retryable) {
      this.#held.set(threadId, error);
      if (error.kind === "threadBusy") void this.#followLater(threadId, to);
      return;
    }
    this.#forget(threadId);
    this.#events.onLost?.(threadId, error as Error);
  }

  /** A turn runs on it in another broker: the thread comes here when that has ended. */
  async #followLater(threadId: string, to: H): Promise<void> {
    try {
      await this.#resume(threadId, to, { whenBusy: "queue", deadlineMs: FOLLOW_LIMIT_MS });
      if (this.#homes.get(threadId) === to) this.#held.delete(threadId);
    } catch (error) {
      trace("info", "client.notFollowed", { threadId, error: String(error) });
    }
  }

  /** The client left the thread while it was being taken over: the subscription ends there too (F186). */
  #unsubscribe(threadId: string, at: H): void {
    const deadline = Deadline.after(RESUME_LIMIT_MS);
    at.link.connection.request("thread/unsubscribe", { threadId }, { deadline }).catch(() => {});
  }

  async #resume(threadId: string, to: H, wish?: WhenBusy): Promise<void> {
    const wanted = this.#settings.get(threadId) ?? NO_SETTINGS;
    const { connection } = to.link;
    const params = {
      ...resumeParameters(wanted),
      threadId,
      excludeTurns: true,
      ...(wish === undefined ? {} : { broker: wish }),
    };
    const deadline = Deadline.after(RESUME_LIMIT_MS + (wish?.deadlineMs ?? 0));
    const result = await connection.request("thread/resume", params, { deadline });
    // Whose turn runs there already has chosen the settings.
    if (!isActive(result)) await this.#repair(threadId, wanted, result, to);
  }

  /** Rather no thread than one whose sandbox or approvals are not what they were. */
  async #repair(
    threadId: string,
    wanted: ThreadSettings,
    result: unknown,
    at: H,
  ): Promise<Readonly<Record<string, unknown>> | undefined> {
    const update = repairs(wanted, result);
    if (update === undefined) return undefined;
    const { connection } = at.link;
    const deadline = Deadline.after(RESUME_LIMIT_MS);
    try {
      await connection.request("thread/settings/update", { threadId, ...update }, { deadline });
      return update;
    } catch (error) {
      trace("warn", "client.settingsNotRestored", { threadId, error: String(error) });
      if (!PROTECTIVE.some((name) => update[name] !== undefined)) return undefined;
      this.#unsubscribe(threadId, at);
      throw error;
    }
  }

  #turnBegan(threadId: string, params: unknown, at: H): void {
    // Nobody tells a connection of the turns of a thread to which it is not subscribed.
    if (this.#homes.get(at.work.rootOf(threadId)) === undefined) return at.work.left(threadId);
    this.#asked(threadId, params);
  }

  #asked(threadId: string, params: unknown): void {
    const before = this.#settings.get(threadId);
    if (before !== undefined) this.#remember(threadId, withParameters(before, params));
  }

  #remember(threadId: string, settings: ThreadSettings): void {
    this.#settings.delete(threadId);
    this.#settings.set(threadId, settings);
    if (this.#settings.size <= MAX_REMEMBERED + this.#homes.size) return;
    const oldest = [...this.#settings.keys()].find((each) => !this.#homes.has(each));
    if (oldest !== undefined) this.#settings.delete(oldest);
  }

  #forget(threadId: string): void {
    this.#homes.delete(threadId);
    this.#settings.delete(threadId);
    this.#held.delete(threadId);
  }
}

const PROTECTIVE = ["sandboxPolicy", "permissions", "approvalPolicy", "approvalsReviewer"];

export function threadIn(params: unknown): string | undefined {
  const threadId = isRecord(params) ? params["threadId"] : undefined;
  return typeof threadId === "string" ? threadId : undefined;
}

function mayRun(home: ThreadHome, threadId: string): boolean {
  return home.link.connection.endCause === undefined && home.work.mayRunTurnOf(threadId);
}

/** The thread that the response to `thread/start`, `thread/resume` or `thread/fork` names. */
export function openedThread(result: unknown): string | undefined {
  const thread = isRecord(result) ? result["thread"] : undefined;
  const id = isRecord(thread) ? thread["id"] : undefined;
  return typeof id === "string" ? id : undefined;
}

function isActive(result: unknown): boolean {
  const thread = isRecord(result) ? result["thread"] : undefined;
  const status = isRecord(thread) ? thread["status"] : undefined;
  return isRecord(status) && status["type"] === "active";
}
