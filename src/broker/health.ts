import { Deadline, monotonicMs } from "../base/deadline.ts";
import { trace } from "../base/trace.ts";
import { RpcError } from "../wire/messages.ts";
import type { Upstream } from "./upstream.ts";

/** An answer this recent proves health at no cost. */
const PROBE_AFTER_MS = 5_000;
/** Healthy answers take 0.1 ms, and less than 10 ms under load. */
const OVERDUE_AFTER_MS = 1_000;
/** Two such silences in a row end the app-server; the second rules out a machine that had slept. */
const PROBE_LIMIT_MS = 10_000;

/** Whether the app-server answers: the only health there is. */
export class Health {
  readonly #upstream: Upstream;
  readonly #onUnresponsive: () => void;
  #probe: { readonly startedAt: number; readonly done: Promise<void> } | undefined;

  constructor(upstream: Upstream, onUnresponsive: () => void) {
    this.#upstream = upstream;
    this.#onUnresponsive = onUnresponsive;
  }

  /** Milliseconds for which a probe has gone without an answer; 0 while that is not remarkable. */
  get unansweredMs(): number {
    if (this.#probe === undefined) return 0;
    const waited = monotonicMs() - this.#probe.startedAt;
    return waited < OVERDUE_AFTER_MS ? 0 : Math.round(waited);
  }

  /** Makes sure that the app-server has answered lately; returns after `waitMs` whether it has or not. */
  async check(waitMs: number): Promise<void> {
    const ago = this.#upstream.lastAnswerMsAgo;
    if (ago !== null && ago < PROBE_AFTER_MS) return;
    this.#probe ??= { startedAt: monotonicMs(), done: this.#run() };
    const tooLong = new Error("the probe goes on");
    await Deadline.after(waitMs)
      .race(this.#probe.done, () => tooLong)
      .catch((error: unknown) => {
        if (error !== tooLong) throw error;
      });
  }

  async #run(): Promise<void> {
    const answered = (await this.#answers()) || (await this.#answers());
    this.#probe = undefined;
    if (!answered) this.#onUnresponsive();
  }

  async #answers(): Promise<boolean> {
    try {
      await this.#upstream.request("thread/loaded/list", { limit: 1 }, PROBE_LIMIT_MS);
      return true;
    } catch (error) {
      trace("warn", "health.probeFailed", { error: String(error) });
      return error instanceof RpcError;
    }
  }
}
