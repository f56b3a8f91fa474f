import { isUsableId, rawParam, type NotificationFrame, type RequestFrame } from "./frame.ts";
import { canonicalId, isRecord, type RawId } from "./messages.ts";
import { NAME_REQUESTS } from "./method-kinds.ts";

/**
 * Some messages name a request of their own connection: to cancel it, or to report on it. Whoever passes
 * messages on sends each request under another id than it came with, and has to exchange the name too.
 */
export interface NamedRequest {
  readonly param: string;
  readonly id: RawId;
  /** Whether the method is known to name one. Of any other only the name of the param says so. */
  readonly isKnown: boolean;
}

const PARAM = "requestId";

/** The request of its own connection that a message names. */
export function namedRequest(frame: RequestFrame | NotificationFrame): NamedRequest | undefined {
  const { kind, method, params } = frame;
  if (!isRecord(params) || !(PARAM in params)) return undefined;
  const isKnown = NAME_REQUESTS.has(method);
  // What is told of a thread goes to everyone who follows it, and names requests of the app-server.
  if (!isKnown && kind === "notification" && "threadId" in params) return undefined;
  const id = rawParam(frame, PARAM);
  return id !== undefined && isUsableId(id)
    ? { param: PARAM, id: canonicalId(id), isKnown }
    : undefined;
}
