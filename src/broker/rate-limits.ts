import type { NotificationFrame } from "../wire/frame.ts";
import type { Peer } from "./peer.ts";

const METHOD = "account/rateLimits/updated";

/**
 * Codex announces the account's limits with every turn, to everyone, and seldom are they others. Each
 * session is a process that would wake up for it.
 */
export class RateLimits {
  #latest = "";
  #heardBy = new WeakSet<Peer>();

  /** Whoever has been told just these limits already, and is told them again only for a turn of its own. */
  spared({ method, params }: NotificationFrame, everyone: Iterable<Peer>): ReadonlySet<Peer> {
    const spared = new Set<Peer>();
    if (method !== METHOD) return spared;
    const limits = JSON.stringify(params);
    if (limits !== this.#latest) this.#heardBy = new WeakSet();
    this.#latest = limits;
    for (const peer of everyone) {
      if (this.#heardBy.has(peer)) spared.add(peer);
      else this.#heardBy.add(peer);
    }
    return spared;
  }
}
