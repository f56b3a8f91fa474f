import { notificationFacts, reachOf } from "../app-server/method-table.ts";
import type { NotificationFrame } from "../wire/frame.ts";
import { endsThread } from "../wire/thread-ends.ts";

/** Where a notification about a thread goes. */
export type Delivery =
  | "everyone"
  | "subscribers"
  /** Waits for the first subscriber. */
  | "held"
  | "dropped";

export interface ThreadState {
  readonly isLoaded: boolean;
  /** Whether a request in flight, or a running turn with a sub-agent, may be opening it. */
  readonly mayBeOpening: boolean;
  /** Whether the broker drains. It then unloads threads that its sessions use in the successor. */
  readonly isDraining: boolean;
}

/**
 * Decides who receives a notification about a thread. Codex sends some of them to every connection,
 * and a thread that is not loaded has no subscriber who could receive them.
 */
export function deliveryOf(
  frame: NotificationFrame,
  { isLoaded, mayBeOpening, isDraining }: ThreadState,
): Delivery {
  const reach = reachOf(frame.method);
  if (reach === "everyone") return "everyone";
  if (isLoaded) return "subscribers";
  if (endsThread(frame.method, frame.params)) return isDraining ? "dropped" : "everyone";
  if (reach === "stored") return "everyone";
  if (mayBeOpening) return "held";
  const isKnown = notificationFacts(frame.method) !== undefined;
  return reach === "broadcast" || !isKnown ? "everyone" : "dropped";
}
