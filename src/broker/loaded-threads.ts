import { trace } from "../base/trace.ts";
import type { NotificationFrame, RequestFrame } from "../wire/frame.ts";
import type { Ask } from "./ask.ts";
import { threadInResult } from "./frame-facts.ts";
import { Reconciliation } from "./reconciliation.ts";
import { ThreadOpens, type ThreadOpen } from "./thread-opens.ts";
import type { Threads } from "./threads.ts";
import type { TurnBook } from "./turn-book.ts";
import { UnsavedThreads } from "./unsaved-threads.ts";
import { unusedThreads } from "./unused-threads.ts";

const RELEASE_LIMIT_MS = 5_000;

export interface LoadedThreadsOptions<S extends object> {
  readonly threads: Threads<S>;
  readonly turns: TurnBook<S>;
  readonly ask: Ask;
  /** Called for a thread that is loaded no more: nothing begins on it. */
  readonly onGone: (threadId: string) => void;
  /** Sends `thread/closed` to the subscribers of a thread whose own was lost. */
  readonly tellClosed: (threadId: string) => void;
  /** Called when a request that opens a thread is over. */
  readonly onOpenEnded: () => void;
}

/**
 * The threads that the app-server has loaded for this broker: none is kept for nobody, and nobody waits
 * for one that is gone. All that the broker unsubscribes from upstream, it unsubscribes from here: the
 * app-server knows one subscriber, so that one unsubscribe takes a thread from every session. It is not
 * sent while a request in flight opens the thread, and such a request waits for one that was sent.
 */
export class LoadedThreads<S extends object> {
  readonly #options: LoadedThreadsOptions<S>;
  readonly #unsaved = new UnsavedThreads();
  readonly #reconciliation: Reconciliation;
  readonly #opens = new ThreadOpens<S>();
  /** Unsubscribe requests without a response, by thread. */
  readonly #leaving = new Map<string, Promise<unknown>>();
  /** Closed threads whose turn has an end that is still looked up, each with what follows that end. */
  readonly #closing = new Map<string, Array<() => void>>();
  #hearingCounts = true;

  constructor(options: LoadedThreadsOptions<S>) {
    this.#options = options;
    const { threads, ask } = options;
    this.#reconciliation = new Reconciliation({
      ask,
      known: () => threads.all(),
      isOpening: () => this.#opens.size > 0,
      onVanished: (threadId) => {
        if (!this.#opens.needs(threadId)) this.closed(threadId, () => options.tellClosed(threadId));
      },
      onStray: (threadId) => {
        if (!threads.knows(threadId) && !this.isOpening(threadId)) this.#leave(threadId);
      },
    });
  }

  /** Whether it is lost for good with the app-server. */
  isUnsaved(threadId: string): boolean {
    return this.#unsaved.has(threadId);
  }

  /** How many requests in flight open a thread. */
  get opening(): number {
    return this.#opens.size;
  }

  /** Whether a request in flight opens this thread, or may. */
  isOpening(threadId: string): boolean {
    return this.#opens.needs(threadId);
  }

  /** Whether a thread that is not known may be one that a request in flight opens. */
  mayBeOpening(threadId: string): boolean {
    return this.#opens.mayOpen(threadId);
  }

  /** Whether a turn can begin on the thread. */
  isOpen(threadId: string): boolean {
    return this.#options.threads.knows(threadId) && !this.#closing.has(threadId);
  }

  /** The session's own request in flight that opens the thread. */
  openedBy(session: S, threadId: string): ThreadOpen<S> | undefined {
    return this.#opens.by(session, threadId);
  }

  /** A request that opens a thread was admitted: until `endOpen`, its thread stays subscribed. */
  beginOpen(session: S, frame: RequestFrame): ThreadOpen<S> {
    return this.#opens.begin(session, frame);
  }

  /** Settles when the request may be sent; undefined when it may be at once. Never rejects. */
  readyFor({ threadId, anyThread }: ThreadOpen<S>): Promise<unknown> | undefined {
    if (anyThread && this.#leaving.size > 0) return Promise.allSettled(this.#leaving.values());
    return threadId === undefined ? undefined : this.#leaving.get(threadId);
  }

  /**
   * The request is over, and its session is a subscriber of the thread if the response named one.
   *
   * @param isUnknown whether it was sent and its response was not read: it may have subscribed the broker.
   */
  endOpen(open: ThreadOpen<S>, opened: string | undefined, isUnknown = false): void {
    this.#opens.end(open);
    const { threadId } = open;
    if (isUnknown && threadId !== undefined && !this.#options.threads.knows(threadId)) {
      if (!this.isOpening(threadId)) this.#leave(threadId);
    }
    const concerned = [open.threadId, opened].filter((each) => each !== undefined);
    this.release(open.anyThread ? undefined : concerned);
    this.#options.onOpenEnded();
  }

  /** A request that opens a thread was answered. */
  opened(method: string, result: unknown): void {
    this.#unsaved.opened(method, result);
    const threadId = threadInResult(result);
    if (threadId === undefined) return;
    this.#closing.delete(threadId);
    this.#reconciliation.opened(threadId);
  }

  heard(threadId: string, frame: NotificationFrame): void {
    this.#unsaved.heard(threadId, frame);
  }

  /** Looks whether anything was missed; never rejects. */
  async look(): Promise<void> {
    this.release();
    await this.#reconciliation.look();
  }

  /**
   * Lets the app-server unload what nobody hears and no turn uses, with its MCP servers.
   *
   * @param among the threads about which something has changed. Default: all.
   */
  release(among: Iterable<string> = this.#options.threads.all()): void {
    const { threads, turns } = this.#options;
    const unused = unusedThreads(threads, among, {
      hasTurn: (threadId) => turns.get(threadId) !== undefined,
      isOpening: (threadId) => this.isOpening(threadId),
      hearingCounts: this.#hearingCounts,
    });
    for (const threadId of unused) {
      this.#forget(threadId);
      this.#leave(threadId);
    }
  }

  /** From now on also what is only heard, so that a successor can take it up. */
  releaseHeard(): void {
    this.#hearingCounts = false;
    this.release();
  }

  /**
   * The app-server has unloaded the thread.
   *
   * @param tell Sends the notification that says so. It follows the end of a turn that still ran.
   */
  closed(threadId: string, tell: () => void): void {
    const { turns, onGone } = this.#options;
    const closing = this.#closing.get(threadId);
    if (closing !== undefined) return void closing.push(tell);
    onGone(threadId);
    this.#closing.set(threadId, [tell]);
    if (turns.get(threadId) === undefined) return this.#gone(threadId);
    void turns.vanished(threadId).finally(() => this.#gone(threadId));
  }

  /**
   * Unsubscribes upstream, for the broker or for a session.
   *
   * @returns the result of the app-server. @throws as `Ask` does.
   */
  unsubscribe(threadId: string): Promise<unknown> {
    const asked = this.#options.ask("thread/unsubscribe", { threadId }, RELEASE_LIMIT_MS);
    const settled = asked
      .catch((error: unknown) => {
        trace("info", "thread.notUnsubscribed", { threadId, error: String(error) });
      })
      .finally(() => {
        if (this.#leaving.get(threadId) === settled) this.#leaving.delete(threadId);
      });
    this.#leaving.set(threadId, settled);
    return asked;
  }

  #leave(threadId: string): void {
    this.unsubscribe(threadId).catch(() => {
      // Traced already.
    });
  }

  #gone(threadId: string): void {
    const closing = this.#closing.get(threadId);
    // It was opened again meanwhile: what ended its former life does not concern the new one.
    if (closing === undefined) return;
    this.#closing.delete(threadId);
    const { threads, turns } = this.#options;
    const family = threads.family(threadId);
    for (const tell of closing) tell();
    turns.end(threadId);
    this.#forget(threadId);
    this.release(family);
  }

  #forget(threadId: string): void {
    this.#options.threads.forget(threadId);
    this.#options.turns.forget(threadId);
    this.#unsaved.forget(threadId);
  }
}
