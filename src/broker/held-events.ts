import { monotonicMs } from "../base/deadline.ts";
import { trace } from "../base/trace.ts";
import type { NotificationFrame } from "../wire/frame.ts";

const HOLD_FOR_MS = 5_000;
const MAX_PER_THREAD = 1_000;
const MAX_THREADS = 200;

interface Held {
  readonly frames: NotificationFrame[];
  readonly since: number;
}

/**
 * Events of threads that no session is known to hear yet: the first events of a thread can overtake
 * the answer that says whose it is. They wait here for a moment and are then told to the first who
 * subscribes.
 */
export class HeldEvents {
  readonly #threads = new Map<string, Held>();
  #timer: NodeJS.Timeout | undefined;

  hold(threadId: string, frame: NotificationFrame): void {
    let held = this.#threads.get(threadId);
    if (held === undefined) {
      if (this.#threads.size >= MAX_THREADS) {
        return trace("warn", "held.tooManyThreads", { threadId });
      }
      held = { frames: [], since: monotonicMs() };
      this.#threads.set(threadId, held);
      this.#timer ??= setTimeout(() => this.#dropOld(), HOLD_FOR_MS);
    }
    if (held.frames.length < MAX_PER_THREAD) held.frames.push(frame);
    else trace("warn", "held.dropped", { threadId, method: frame.method });
  }

  release(threadId: string): readonly NotificationFrame[] {
    const held = this.#threads.get(threadId);
    this.#threads.delete(threadId);
    return held?.frames ?? [];
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#threads.clear();
  }

  #dropOld(): void {
    const now = monotonicMs();
    for (const [threadId, held] of this.#threads) {
      if (now - held.since < HOLD_FOR_MS) continue;
      this.#threads.delete(threadId);
      trace("info", "held.expired", { threadId, events: held.frames.length });
    }
    this.#timer =
      this.#threads.size > 0 ? setTimeout(() => this.#dropOld(), HOLD_FOR_MS) : undefined;
  }
}
