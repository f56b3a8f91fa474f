import type { Span } from "../wire/json-members.ts";
import type { RawId } from "../wire/messages.ts";

/** What can be known of a message from the way it begins. */
export type Beginning =
  | { readonly kind: "answer"; readonly id: RawId; readonly idSpan: Span }
  | { readonly kind: "request"; readonly id: RawId; readonly method: string }
  | { readonly kind: "notification"; readonly method: string };

const RESULT = /^(\{"id":)(\d+),"result":/;
const REQUEST = /^\{"method":"([\w/]+)","id":(-?\d+|"[^"\\]*"),/;
const NOTIFICATION = /^\{"method":"([\w/]+)","params":/;

/**
 * Whose a message is that is too long to be read. Codex writes each kind with its members in one order,
 * the bulk of it last (an error has its id last, and no bulk); another order is not guessed at.
 */
export function beginningOf(head: Buffer): Beginning | undefined {
  const text = head.toString("latin1");
  const result = RESULT.exec(text);
  if (result !== null) {
    const [, before = "", id = ""] = result;
    const start = before.length;
    return { kind: "answer", id, idSpan: { start, end: start + id.length } };
  }
  const request = REQUEST.exec(text);
  if (request !== null) {
    return { kind: "request", method: request[1] ?? "", id: request[2] ?? "" };
  }
  const notification = NOTIFICATION.exec(text);
  return notification === null
    ? undefined
    : { kind: "notification", method: notification[1] ?? "" };
}
