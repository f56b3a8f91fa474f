import { notificationFacts, requestFacts } from "../app-server/method-table.ts";
import type { NotificationFrame, RequestFrame } from "../wire/frame.ts";
import { isRecord } from "../wire/messages.ts";

/** What a message says of threads and turns. */

export function threadParam(frame: RequestFrame): string | undefined {
  const name = requestFacts(frame.method)?.threadId ?? "threadId";
  return textIn(frame.params, name);
}

export function threadInResult(result: unknown): string | undefined {
  return textIn(result, "thread.id");
}

export function turnInResult(result: unknown): string | undefined {
  return textIn(result, "turn.id");
}

export function threadOfNotification(frame: NotificationFrame): string | undefined {
  return textIn(frame.params, notificationFacts(frame.method)?.threadId ?? "threadId");
}

export function turnOfNotification(frame: NotificationFrame): string | undefined {
  return textIn(frame.params, "turn.id");
}

/** The turn that this one serves. */
export function rootOfNotification(frame: NotificationFrame): string | undefined {
  return textIn(frame.params, "turn.rootTurnId");
}

/**
 * A thread starts MCP servers and asks the user's shell for its settings; a turn runs commands, and one
 * that had to be approved begins when the question is resolved.
 */
export function startsProcess(frame: NotificationFrame): boolean {
  if (frame.method === "thread/started" || frame.method === "serverRequest/resolved") return true;
  return (
    frame.method === "item/started" && textIn(frame.params, "item.type") === "commandExecution"
  );
}

function textIn(value: unknown, path: string): string | undefined {
  let here = value;
  for (const name of path.split(".")) here = isRecord(here) ? here[name] : undefined;
  return typeof here === "string" ? here : undefined;
}
