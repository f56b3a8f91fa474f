import type { BrokerCapacity } from "../lifecycle/start-protocol.ts";
import type { NotificationFrame } from "../wire/frame.ts";
import type { WriterLookUp } from "./writer-waits.ts";

export interface RouterOptions extends WriterLookUp {
  readonly workspace: string;
  /** How long those who were asked may take to answer. */
  readonly answerTimeoutMs: number;
  readonly capacity: BrokerCapacity;
  /** Called when a turn has begun or ended. */
  readonly onTurnsChanged: () => void;
  /** Called with everything that the app-server says of a thread. */
  readonly onThreadEvent: (frame: NotificationFrame, threadId: string) => void;
  /** Called for a turn whose end nobody will hear of. */
  readonly onTurnLost: () => void;
  /** Called for a turn that goes on though it was interrupted: only with the app-server it ends. */
  readonly onTurnStuck: (threadId: string) => void;
  /** Called when a turn has started a process of its own. */
  readonly onCommandStarted: () => void;
  /** Called when the app-server owes an answer again. */
  readonly onWork: () => void;
  /** Called when the app-server owes no answer any more. */
  readonly onAllAnswered: () => void;
  /** Called when the app-server is so silent that its health is to be looked at. */
  readonly onSilence: () => void;
}
