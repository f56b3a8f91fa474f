import { Deadline, monotonicMs } from "../base/deadline.ts";
import { trace } from "../base/trace.ts";
import { RpcError } from "../wire/messages.ts";
import type { Upstream } from "./upstream.ts";

/** An answer this recent proves health at no cost. */
const PROBE_AFTER_MS = 5_000;
/** The same, while somebody waits for the app-server: a question takes it 0.1 ms. */
const PROBE_AT_WORK_AFTER_MS = 2_000;
/** Healthy answers take 0.1 ms, and less than 10 ms under load. */
const OVERDUE_AFTER_MS = 1_000;
/** Two such silences in a row end the app-server; the second rules out a machine that had slept. */
const PROBE_LIMIT_MS = 10_000;
/** Silence is counted in ticks, so that a machine or a process that was asleep does not count. */
const TICK_MS = 1_000;
/** After that long a silence new work is better done elsewhere. What runs is not cut for it. */
const SILENT_AFTER_TICKS = 6;

export interface HealthOptions {
  /** Whether anybody waits for the app-server. */
  readonly atWork: () => boolean;
  readonly onSilent: () => void;
  readonly onUnresponsive: () => void;
}

/** Whether the app-server answers: the only health there is. */
export class Health {
  readonly #upstream: Upstream;
  readonly #options: HealthOptions;
  #probe: { readonly startedAt: number; readonly done: Promise<void> } | undefined;
  #silentTicks = 0;
  #ticks: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(upstream: Upstream, options: HealthOptions) {
    this.#upstream = upstream;
    this.#options = options;
  }

  /**
   * Somebody waits for the app-server, or will: it is looked at until nobody does. Whoever was served
   * once is not to wait for ever, and an idle broker is not to be woken up.
   */
  workBegan(): void {
    if (!this.#closed) this.#ticks ??= setInterval(() => this.#tick(), TICK_MS);
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#ticks);
  }

  /** Milliseconds for which a probe has gone without an answer; 0 while that is not remarkable. */
  get unansweredMs(): number {
    if (this.#probe === undefined) return 0;
    const waited = monotonicMs() - this.#probe.startedAt;
    return waited < OVERDUE_AFTER_MS ? 0 : Math.round(waited);
  }

  /**
   * Makes sure that the app-server has answered within `probeAfterMs`; returns after `waitMs` whether
   * it has or not.
   */
  async check(waitMs: number, probeAfterMs = PROBE_AFTER_MS): Promise<void> {
    const ago = this.#upstream.lastAnswerMsAgo;
    if (ago !== null && ago < probeAfterMs) return;
    const tooLong = new Error("the probe goes on");
    await Deadline.after(waitMs)
      .race(this.#ask(), () => tooLong)
      .catch((error: unknown) => {
        if (error !== tooLong) throw error;
      });
  }

  #tick(): void {
    if (this.#probe === undefined) {
      this.#silentTicks = 0;
      if (!this.#options.atWork()) {
        clearInterval(this.#ticks);
        this.#ticks = undefined;
        return;
      }
      const ago = this.#upstream.lastAnswerMsAgo ?? 0;
      if (ago >= PROBE_AT_WORK_AFTER_MS) void this.#ask();
      return;
    }
    this.#silentTicks += 1;
    if (this.#silentTicks === SILENT_AFTER_TICKS) this.#options.onSilent();
  }

  #ask(): Promise<void> {
    this.#probe ??= { startedAt: monotonicMs(), done: this.#run() };
    return this.#probe.done;
  }

  async #run(): Promise<void> {
    const answered = (await this.#answers()) || (await this.#answers());
    this.#probe = undefined;
    if (!answered) this.#options.onUnresponsive();
  }

  async #answers(): Promise<boolean> {
    try {
      await this.#upstream.request("thread/loaded/list", { limit: 1 }, PROBE_LIMIT_MS, "probe");
      return true;
    } catch (error) {
      trace("warn", "health.probeFailed", { error: String(error) });
      return error instanceof RpcError;
    }
  }
}
