import { startTimer, type Timer } from "../base/deadline.ts";
import { isRecord } from "../wire/messages.ts";

/**
 * Notices when a turn that has begun says nothing for so long. A turn may take hours; it is silence
 * that is counted, and not while a person is asked.
 */
export class StallWatch {
  readonly #stallMs: number | undefined;
  readonly #onStall: (silentMs: number) => void;
  #timer: Timer | undefined;
  #asking = false;

  /** @param stallMs undefined for as long as it takes */
  constructor(stallMs: number | undefined, onStall: (silentMs: number) => void) {
    this.#stallMs = stallMs;
    this.#onStall = onStall;
  }

  heard(method: string, params: Record<string, unknown>): void {
    if (method === "broker/queued") return;
    if (method === "thread/status/changed") this.#asking = isAsking(params["status"]);
    this.stop();
    const stallMs = this.#stallMs;
    if (stallMs === undefined || this.#asking) return;
    this.#timer = startTimer(stallMs, () => this.#onStall(stallMs));
  }

  stop(): void {
    this.#timer?.stop();
  }
}

/** Whether the turn waits for an approval or another answer. */
function isAsking(status: unknown): boolean {
  const flags = isRecord(status) ? status["activeFlags"] : undefined;
  return Array.isArray(flags) && flags.some((flag) => String(flag).startsWith("waitingOn"));
}
