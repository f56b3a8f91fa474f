import type { WhenBusy } from "../wire/broker-protocol.ts";
import type { NotificationFrame } from "../wire/frame.ts";
import type { Line } from "../wire/line.ts";

/** A session as the router sees it. */
export interface Peer {
  readonly id: number;
  /** Whether it asked for experimental methods and notifications. */
  readonly experimentalApi: boolean;
  /** What becomes of its requests that find their thread busy and do not say what they want then. */
  readonly whenBusy: NonNullable<WhenBusy["whenBusy"]>;
  /** Whether it is a client of this project, which takes its threads along to a successor. */
  readonly movesByItself?: boolean;
  /** A notification, unless this session opted out of it. */
  deliver(frame: NotificationFrame): void;
  /** A line of our own making. */
  send(line: Line): void;
}
