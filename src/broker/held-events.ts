import { monotonicMs } from "../base/deadline.ts";
import { trace } from "../base/trace.ts";
import type { NotificationFrame } from "../wire/frame.ts";

const HOLD_FOR_MS = 5_000;
const MAX_THREADS = 200;

export interface HeldEventsOptions {
  readonly maxPerThread: number;
  /** Of all threads together. */
  readonly maxBytes: number;
  /** Whether the thread may still be one that is being opened. */
  readonly mayBeOpening: (threadId: string) => boolean;
}

interface Held {
  readonly frames: NotificationFrame[];
  readonly since: number;
  bytes: number;
  /** How many more there were. */
  cut: number;
}

/**
 * Events of threads that are being opened and have no subscriber yet: the first events of a thread can
 * overtake the answer that says whose it is. They wait here for as long as the thread may be
 * opened, and are then told to the first who subscribes.
 */
export class HeldEvents {
  readonly #options: HeldEventsOptions;
  readonly #threads = new Map<string, Held>();
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: HeldEventsOptions) {
    this.#options = options;
  }

  hold(threadId: string, frame: NotificationFrame): void {
    let held = this.#threads.get(threadId);
    if (held === undefined) {
      if (this.#threads.size >= MAX_THREADS) {
        return trace("warn", "held.tooManyThreads", { threadId });
      }
      held = { frames: [], since: monotonicMs(), bytes: 0, cut: 0 };
      this.#threads.set(threadId, held);
      this.#timer ??= setTimeout(() => this.#dropOld(), HOLD_FOR_MS);
    }
    const { maxPerThread, maxBytes } = this.#options;
    const bytes = frame.line.length;
    // The first ones are kept, without a gap.
    if (held.cut === 0 && held.frames.length < maxPerThread && this.#bytes + bytes <= maxBytes) {
      held.bytes += bytes;
      this.#bytes += bytes;
      return void held.frames.push(frame);
    }
    held.cut += 1;
    trace("warn", "held.dropped", { threadId, method: frame.method });
  }

  /** How many events of the thread were not kept, after those that were. */
  cutOf(threadId: string): number {
    return this.#threads.get(threadId)?.cut ?? 0;
  }

  release(threadId: string): readonly NotificationFrame[] {
    const held = this.#threads.get(threadId);
    this.#threads.delete(threadId);
    this.#bytes -= held?.bytes ?? 0;
    return held?.frames ?? [];
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#threads.clear();
    this.#bytes = 0;
  }

  #dropOld(): void {
    const now = monotonicMs();
    for (const [threadId, held] of this.#threads) {
      if (now - held.since < HOLD_FOR_MS || this.#options.mayBeOpening(threadId)) continue;
      this.release(threadId);
      trace("info", "held.expired", { threadId, events: held.frames.length });
    }
    this.#timer =
      this.#threads.size > 0 ? setTimeout(() => this.#dropOld(), HOLD_FOR_MS) : undefined;
  }
}
