import type { Ensured } from "../lifecycle/ensure.ts";
import type { Draining } from "../wire/broker-protocol.ts";
import type { NotificationListener } from "./inbox.ts";
import type { OpenWork } from "./open-work.ts";

/** An open connection whose broker's app-server has answered. */
export interface Opened extends Ensured {
  /** Resolves when the broker takes no new work any more. */
  readonly draining: Promise<Draining>;
  readonly work: OpenWork;
  /** Delivers what has come over it so far, and from now on whatever comes. */
  readonly onNotification: (listener: NotificationListener) => void;
}

/** Opens one more connection whose messages reach the same inbox. */
export type Open = (signal?: AbortSignal) => Promise<Opened>;
