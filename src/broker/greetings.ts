import type { NotificationFrame } from "../wire/frame.ts";
import { isRecord } from "../wire/messages.ts";
import { GREETINGS } from "../wire/method-kinds.ts";

const MAX_GREETINGS = 10;

/** What the app-server said once at its start and would say to each new connection. */
export class Greetings {
  readonly #latest = new Map<string, NotificationFrame>();

  note(frame: NotificationFrame): void {
    if (!GREETINGS.has(frame.method)) return;
    const summary = isRecord(frame.params) ? frame.params["summary"] : undefined;
    this.#latest.set(`${frame.method} ${String(summary)}`, frame);
    const [oldest] = this.#latest.keys();
    if (this.#latest.size > MAX_GREETINGS && oldest !== undefined) this.#latest.delete(oldest);
  }

  all(): Iterable<NotificationFrame> {
    return this.#latest.values();
  }
}
