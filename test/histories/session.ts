import type { ParticipantKind } from "./history.ts";

/** What a request was answered with. `gone` means that its connection ended first. */
export type Answer =
  | { readonly ok: true; readonly result: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly kind: string; readonly message: string };

export interface SessionEvents {
  readonly onNotification: (method: string, params: Readonly<Record<string, unknown>>) => void;
  /** No new work is taken on this connection any more. */
  readonly onDraining: () => void;
}

/** One participant's connection, in whatever way it is connected. */
export interface Session {
  readonly kind: ParticipantKind;
  readonly closed: Promise<unknown>;
  /** Settles with the answer, or with `gone`. Where it can be seen, `onAnswer` runs before the next message is read. */
  ask(
    method: string,
    params: Readonly<Record<string, unknown>>,
    onAnswer?: (answer: Answer) => void,
  ): Promise<Answer>;
  close(): void;
  /** Ends as a program that crashes. */
  kill(): void;
}

export const GONE: Answer = { ok: false, kind: "gone", message: "the connection has ended" };
