import type { NotificationFrame } from "../wire/frame.ts";
import type { Line } from "../wire/line.ts";

/** A session as the router sees it. */
export interface Peer {
  readonly id: number;
  /** Whether it asked for experimental methods and notifications. */
  readonly experimentalApi: boolean;
  /** A notification, unless this session opted out of it. */
  deliver(frame: NotificationFrame): void;
  /** A line of our own making. */
  send(line: Line): void;
}
