import { monotonicMs } from "../base/deadline.ts";
import { ActivityWatch } from "../os/process-activity.ts";
import { livenessOf, type ProcessIdentity } from "../os/process-identity.ts";

/** For how long a broker has not answered, and how much of that its process was idle. */
export class Silence {
  readonly #process: ProcessIdentity;
  readonly #activity: ActivityWatch;
  readonly #since: number;
  #idleSince: number;

  /** @param sinceMs in monotonic time. */
  constructor(process: ProcessIdentity, sinceMs = monotonicMs()) {
    this.#process = process;
    this.#activity = new ActivityWatch(process.pid);
    this.#since = sinceMs;
    this.#idleSince = sinceMs;
  }

  /** To be called while it goes on, so that work of the process is noticed. */
  observe(): void {
    const isAtWork = this.#activity.isAtWork();
    if (isAtWork && livenessOf(this.#process) === "alive") this.#idleSince = monotonicMs();
  }

  get forMs(): number {
    return monotonicMs() - this.#since;
  }

  /** A process that is at work, or gets no processor, is slow: only idle time proves that it hangs. */
  get idleMs(): number {
    return monotonicMs() - this.#idleSince;
  }
}
