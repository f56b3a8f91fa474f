import { monotonicMs } from "../base/deadline.ts";
import type { TurnStatusEntry } from "../wire/broker-protocol.ts";
import type { Peer } from "./peer.ts";
import type { Turn } from "./turns.ts";

/** A turn as whoever asks what runs is told of it. */
export function statusOf(turn: Turn<Peer>): TurnStatusEntry {
  const now = monotonicMs();
  return {
    threadId: turn.threadId,
    turnId: turn.id ?? null,
    session: turn.owner?.id ?? null,
    ageMs: Math.round(now - turn.startedAt),
    silentMs: Math.round(now - turn.lastEventAt),
  };
}
