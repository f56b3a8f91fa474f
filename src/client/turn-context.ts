import type { v2 } from "../app-server/generated/index.ts";
import type { Deadline } from "../base/deadline.ts";
import type { BrokerError } from "../base/errors.ts";
import type { Connection } from "../wire/connection.ts";
import type { Inbox } from "./inbox.ts";

/** How a thread was opened for a turn. */
export interface OpenedThread {
  /** What the turn asks for; undefined where it joins another and asks for nothing. */
  readonly asked: object | undefined;
  readonly sent: object;
  readonly result: unknown;
}

/** What a turn needs of its client. */
export interface TurnContext {
  readonly inbox: Inbox;
  /** The broker's workspace: rules of a policy hold there. */
  readonly workspace: string;
  /** The connection that this turn runs on from its start to its end. */
  readonly connection: () => Promise<Connection>;
  /** Calls the listener when the broker at its other end is being replaced. @returns its own undo. */
  readonly onReplaced: (connection: Connection, listener: () => void) => () => void;
  /** Whether the broker at its other end had announced that it takes no new work. */
  readonly wasReplaced: (connection: Connection) => boolean;
  /** Why a broker that takes no new work has no successor, where that is known. */
  readonly whyNotReplaced: () => BrokerError | undefined;
  /** The parameters that resume a thread which this client has left with the settings it had. */
  readonly asItWas: (params: Readonly<Record<string, unknown>>) => Record<string, unknown>;
  /** Called when a thread was opened for this turn. @returns the response as it is now. */
  readonly onOpened: (thread: OpenedThread, connection: Connection) => Promise<unknown>;
  /** The thread's latest turns, from Codex's own history. */
  readonly lookUp: (threadId: string, deadline: Deadline) => Promise<v2.ThreadTurnsListResponse>;
}
