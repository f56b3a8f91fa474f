import { trace } from "../base/trace.ts";
import { isRecord } from "../wire/messages.ts";
import type { Ask } from "./ask.ts";

/** The answer takes 0.1 ms; this bounds a page, not a wait. */
const LOOK_LIMIT_MS = 10_000;
const MAX_PAGES = 100;

export interface ReconciliationOptions {
  readonly ask: Ask;
  /** The threads that the broker takes for loaded. */
  readonly known: () => readonly string[];
  /** A thread may be loaded upstream and not be known yet. */
  readonly isOpening: () => boolean;
  /** Known here, and no longer loaded there. */
  readonly onVanished: (threadId: string) => void;
  /** Loaded there, idle, and nothing that anybody here knows of. */
  readonly onStray: (threadId: string) => void;
}

/**
 * Compares now and then which threads the app-server has loaded with those that the broker knows, so
 * that none is kept loaded for nobody, and nobody waits for one that is gone. What is found once may
 * be on its way; what is found twice in a row is mended. There is nothing to mend unless something
 * was missed: each find is a defect of somebody's.
 */
export class Reconciliation {
  readonly #options: ReconciliationOptions;
  #vanishing = new Set<string>();
  #straying = new Set<string>();
  #running = false;
  /** The threads that were opened since the present round began: the list may be older than they are. */
  readonly #opened = new Set<string>();

  constructor(options: ReconciliationOptions) {
    this.#options = options;
  }

  /** What earlier rounds found about the thread says nothing of its new life. */
  opened(threadId: string): void {
    this.#vanishing.delete(threadId);
    this.#straying.delete(threadId);
    if (this.#running) this.#opened.add(threadId);
  }

  /** One round; never rejects. */
  async look(): Promise<void> {
    const idle = this.#straying.size === 0 && this.#options.known().length === 0;
    if (this.#running || idle) return;
    this.#running = true;
    try {
      await this.#compare();
    } catch (error) {
      trace("info", "reconcile.failed", { error: String(error) });
    } finally {
      this.#running = false;
      this.#opened.clear();
    }
  }

  async #compare(): Promise<void> {
    const knownBefore = this.#options.known();
    const opening = this.#options.isOpening();
    const loaded = await this.#loaded();
    const known = new Set(this.#options.known());
    const vanished = knownBefore.filter(
      (id) => known.has(id) && !loaded.has(id) && !this.#opened.has(id),
    );
    const strays = [...loaded].filter((id) => !known.has(id) && !knownBefore.includes(id));
    const [vanishing, straying] = [this.#vanishing, this.#straying];
    this.#vanishing = new Set(vanished);
    this.#straying = new Set(opening || this.#options.isOpening() ? [] : strays);
    for (const threadId of this.#vanishing) {
      if (!vanishing.has(threadId)) continue;
      trace("warn", "reconcile.vanished", { threadId });
      this.#options.onVanished(threadId);
    }
    for (const threadId of this.#straying) {
      if (!straying.has(threadId) || !(await this.#isIdle(threadId))) continue;
      trace("warn", "reconcile.stray", { threadId });
      this.#options.onStray(threadId);
    }
  }

  async #loaded(): Promise<Set<string>> {
    const loaded = new Set<string>();
    let cursor: unknown = null;
    for (let pages = 0; pages < MAX_PAGES; pages += 1) {
      const page = await this.#options.ask("thread/loaded/list", { cursor }, LOOK_LIMIT_MS);
      if (!isRecord(page) || !Array.isArray(page["data"])) throw new Error("no list of threads");
      for (const id of page["data"]) loaded.add(String(id));
      cursor = page["nextCursor"] ?? null;
      if (cursor === null) return loaded;
    }
    throw new Error("the list of threads has no end");
  }

  /** One that works, a sub-agent's perhaps, is left alone. */
  async #isIdle(threadId: string): Promise<boolean> {
    const params = { threadId, includeTurns: false };
    const read = await this.#options.ask("thread/read", params, LOOK_LIMIT_MS);
    const thread = isRecord(read) ? read["thread"] : undefined;
    const status = isRecord(thread) ? thread["status"] : undefined;
    return isRecord(status) && status["type"] !== "active";
  }
}
