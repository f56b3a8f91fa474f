import type { NotificationFrame } from "../wire/frame.ts";
import { Greetings } from "./greetings.ts";
import type { Peer } from "./peer.ts";
import { RateLimits } from "./rate-limits.ts";

/** Forwards notifications that name neither a thread nor a handle: to every session. */
export class GlobalNews {
  readonly #greetings = new Greetings();
  readonly #rateLimits = new RateLimits();

  /** Sends a new session what the app-server would send to a new connection. */
  greet(peer: Peer): void {
    for (const frame of this.#greetings.all()) peer.deliver(frame);
  }

  /** @param inTurns returns the sessions that a running turn concerns. */
  send(
    frame: NotificationFrame,
    everyone: ReadonlyMap<number, Peer>,
    inTurns: () => ReadonlySet<Peer>,
  ): void {
    this.#greetings.note(frame);
    const spared = this.#rateLimits.spared(frame, everyone.values());
    const concerned = spared.size > 0 ? inTurns() : spared;
    for (const peer of everyone.values()) {
      if (!spared.has(peer) || concerned.has(peer)) peer.deliver(frame);
    }
  }
}
