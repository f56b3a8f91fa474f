import type { BrokerError } from "../base/errors.ts";
import type { Wear } from "../lifecycle/epoch-file.ts";

/** Why a broker ends. */
export interface Ending {
  readonly reason: string;
  /** Present when it ends because something went wrong. */
  readonly error?: BrokerError;
  /** Interrupt running turns at once. */
  readonly force?: boolean;
  /** Interrupt running turns after this time. Default: wait for them without a limit. */
  readonly interruptAfterMs?: number;
  /** A successor is there or wanted: the clients are to go on with it. */
  readonly reconnect?: boolean;
  /** What wore it out, if that is why. */
  readonly wear?: Wear;
}
