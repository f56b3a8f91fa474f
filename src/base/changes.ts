import { Deadline } from "./deadline.ts";
import { deferred, type Deferred } from "./deferred.ts";

/** Lets others wait for a condition of this process: whoever may have made it true says so. */
export class Changes {
  #next: Deferred<void> = deferred();

  notify(): void {
    this.#next.resolve();
    this.#next = deferred();
  }

  /** @returns whether the condition was met within `limitMs`. Never rejects. */
  async until(met: () => boolean, limitMs: number): Promise<boolean> {
    const deadline = Deadline.after(limitMs);
    const expired = new Error("expired");
    while (!met()) {
      // Changes that come faster than a timer fires must not put the end off for ever.
      if (deadline.expired) return false;
      const next = this.#next.promise.then(() => "changed");
      if ((await deadline.race(next, () => expired).catch(() => "expired")) === "expired") {
        return met();
      }
    }
    return true;
  }
}
