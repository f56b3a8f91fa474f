import { trace } from "../base/trace.ts";
import type { NotificationFrame } from "../wire/frame.ts";

const MAX_THREADS = 200;

export interface HeldEventsOptions {
  readonly maxPerThread: number;
  /** Of all threads together. */
  readonly maxBytes: number;
}

interface Held {
  readonly frames: NotificationFrame[];
  bytes: number;
  /** How many more there were. */
  cut: number;
}

/**
 * Events of threads that are being opened and have no subscriber yet: the first events of a thread can
 * overtake the answer that says whose it is. They wait here for as long as the thread may be opened,
 * and are then told to the first who subscribes.
 */
export class HeldEvents {
  readonly #options: HeldEventsOptions;
  readonly #threads = new Map<string, Held>();
  #bytes = 0;

  constructor(options: HeldEventsOptions) {
    this.#options = options;
  }

  hold(threadId: string, frame: NotificationFrame): void {
    const held = this.#threads.get(threadId) ?? this.#begin(threadId);
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

  /** Drops the events of all threads that are not being opened any more. */
  prune(mayBeOpening: (threadId: string) => boolean): void {
    for (const threadId of this.#threads.keys()) {
      if (!mayBeOpening(threadId)) this.#drop(threadId);
    }
  }

  clear(): void {
    this.#threads.clear();
    this.#bytes = 0;
  }

  #begin(threadId: string): Held {
    const [oldest] = this.#threads.keys();
    if (this.#threads.size >= MAX_THREADS && oldest !== undefined) this.#drop(oldest);
    const held = { frames: [], bytes: 0, cut: 0 };
    this.#threads.set(threadId, held);
    return held;
  }

  #drop(threadId: string): void {
    const events = this.release(threadId).length;
    trace("info", "held.expired", { threadId, events });
  }
}
