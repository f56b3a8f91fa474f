import type { NotificationFrame } from "../wire/frame.ts";
import { askQuietly, type Ask } from "./ask.ts";
import { Reconciliation } from "./reconciliation.ts";
import type { Threads } from "./threads.ts";
import type { TurnBook } from "./turn-book.ts";
import { UnsavedThreads } from "./unsaved-threads.ts";
import { unusedThreads } from "./unused-threads.ts";

const RELEASE_LIMIT_MS = 5_000;

export interface LoadedThreadsOptions<S extends object> {
  readonly threads: Threads<S>;
  readonly turns: TurnBook<S>;
  readonly ask: Ask;
  /** Whether a thread may be loaded upstream and not be known yet. */
  readonly isOpening: () => boolean;
  /** Called for a thread that is loaded no more: nothing begins on it. */
  readonly onGone: (threadId: string) => void;
}

/**
 * The threads that the app-server has loaded for this broker: none is kept for nobody, and nobody waits
 * for one that is gone.
 */
export class LoadedThreads<S extends object> {
  readonly #options: LoadedThreadsOptions<S>;
  readonly #unsaved = new UnsavedThreads();
  readonly #reconciliation: Reconciliation;
  #hearingCounts = true;

  constructor(options: LoadedThreadsOptions<S>) {
    this.#options = options;
    const { threads, ask, isOpening } = options;
    this.#reconciliation = new Reconciliation({
      ask,
      known: () => threads.all(),
      isOpening,
      onVanished: (threadId) => void this.#vanished(threadId),
      onStray: (threadId) => {
        if (!threads.knows(threadId)) this.#unsubscribe(threadId);
      },
    });
  }

  /** Whether it is lost for good with the app-server. */
  isUnsaved(threadId: string): boolean {
    return this.#unsaved.has(threadId);
  }

  /** A request that opens a thread was answered. */
  opened(method: string, result: unknown): void {
    this.#unsaved.opened(method, result);
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
      hearingCounts: this.#hearingCounts,
    });
    for (const threadId of unused) {
      this.#forget(threadId);
      this.#unsubscribe(threadId);
    }
  }

  /** From now on also what is only heard, so that a successor can take it up. */
  releaseHeard(): void {
    this.#hearingCounts = false;
    this.release();
  }

  /** The app-server has let go of the thread, and said so. */
  closed(threadId: string): void {
    const { threads, turns, onGone } = this.#options;
    onGone(threadId);
    const family = threads.family(threadId);
    turns.end(threadId);
    this.#forget(threadId);
    this.release(family);
  }

  /** The app-server has let go of the thread, and nobody was told. */
  async #vanished(threadId: string): Promise<void> {
    this.#options.onGone(threadId);
    await this.#options.turns.vanished(threadId);
    this.closed(threadId);
  }

  #unsubscribe(threadId: string): void {
    askQuietly(this.#options.ask, "thread/unsubscribe", { threadId }, RELEASE_LIMIT_MS);
  }

  #forget(threadId: string): void {
    this.#options.threads.forget(threadId);
    this.#options.turns.forget(threadId);
    this.#unsaved.forget(threadId);
  }
}
