import { isAscii, isUtf8 } from "node:buffer";
import { BrokerError } from "../base/errors.ts";
import { objectMembers, type Span } from "./json-members.ts";
import {
  asciiJson,
  lineOfBytes,
  textLineOf,
  textOf,
  withInPlace,
  type Line,
  type TextLine,
} from "./line.ts";
import { isRecord, type RawId, type RpcErrorObject } from "./messages.ts";

interface FrameLine<L> {
  /** As it came, so that it can go on with nothing changed but its id. */
  readonly line: L;
}

export interface RequestFrame extends FrameLine<TextLine> {
  readonly kind: "request";
  readonly id: RawId;
  readonly idSpan: Span;
  readonly method: string;
  readonly params: unknown;
}

export interface NotificationFrame<L extends Line = Line> extends FrameLine<L> {
  readonly kind: "notification";
  readonly method: string;
  readonly params: unknown;
}

export interface AnswerFrame<L extends Line = Line> extends FrameLine<L> {
  readonly kind: "answer";
  readonly id: RawId;
  readonly idSpan: Span;
  readonly result: unknown;
  readonly error: RpcErrorObject | undefined;
}

export type Frame<L extends Line = Line> = RequestFrame | NotificationFrame<L> | AnswerFrame<L>;

/** A line that is no message. `id` is known where the line at least named one that can be answered. */
export interface FrameFault {
  readonly kind: "fault";
  readonly id: RawId | null;
  readonly error: BrokerError;
}

/**
 * One line as a message. Every rule that the app-server leaves unanswered is a fault here: bytes that
 * are not UTF-8 (one of them ends the app-server), text that is no JSON object, an id that is null,
 * fractional or given twice.
 */
export function decodeFrame(bytes: Buffer): Frame<TextLine> | FrameFault {
  const ascii = isAscii(bytes);
  if (!ascii && !isUtf8(bytes)) return fault(null, "parseError", "The line is not valid UTF-8.");
  const line = lineOfBytes(bytes);
  let value: unknown;
  try {
    value = JSON.parse(ascii ? line : bytes.toString("utf8"));
  } catch (cause) {
    return fault(null, "parseError", "The line is not valid JSON.", cause);
  }
  if (!isRecord(value)) {
    return fault(
      null,
      "invalidRequest",
      "A message is one JSON object; batches are not supported.",
    );
  }
  return classify(line, value);
}

/** What a message may have once: given twice, the app-server drops the message and answers nothing. */
const SINGLE = ["id", "method", "params", "result", "error"];

function classify(line: TextLine, value: Record<string, unknown>): Frame<TextLine> | FrameFault {
  const members = "id" in value ? objectMembers(line) : [];
  const twice = SINGLE.find((name) => members.filter(([each]) => each === name).length > 1);
  if (twice === "id") return fault(null, "invalidRequest", "The message has more than one id.");
  const idSpan = members.find(([name]) => name === "id")?.[1];
  const id = idSpan === undefined ? undefined : line.slice(idSpan.start, idSpan.end);
  if (id !== undefined && !isUsableId(id)) {
    return fault(
      null,
      "invalidRequest",
      `An id is a string or a 64-bit integer, not ${textOf(id.slice(0, 40))}.`,
    );
  }
  // A sender that has one shape for every message writes null for what this one has not.
  const error = value["error"] ?? undefined;
  const isResponse = error !== undefined || "result" in value;
  const method = isResponse ? (value["method"] ?? undefined) : value["method"];
  // An id without a method is not one of the sender's own: it would take a reply for another's.
  const sender = method === undefined ? null : (id ?? null);
  if (twice !== undefined) {
    return fault(sender, "invalidRequest", `The message has more than one ${twice}.`);
  }
  if (method !== undefined) {
    if (typeof method !== "string") {
      return fault(sender, "invalidRequest", "The method is not a string.");
    }
    const params = value["params"];
    if (id === undefined || idSpan === undefined) {
      return { kind: "notification", line, method, params };
    }
    return { kind: "request", line, id, idSpan, method, params };
  }
  if (id === undefined || idSpan === undefined) {
    return fault(null, "invalidRequest", "The message has neither a method nor an id.");
  }
  if (error !== undefined && !isErrorObject(error)) {
    return fault(null, "invalidRequest", "The answer's error has no code and message.");
  }
  if (!isResponse) {
    return fault(
      null,
      "invalidRequest",
      "The message has no method, and no result or error either.",
    );
  }
  return { kind: "answer", line, id, idSpan, result: value["result"], error };
}

/** The message with another id and every other byte as it was. */
export function withId(frame: RequestFrame, id: RawId): TextLine;
export function withId<L extends Line>(frame: AnswerFrame<L>, id: RawId): L;
export function withId({ line, idSpan }: RequestFrame | AnswerFrame, id: RawId): Line {
  return withInPlace(line, idSpan, id);
}

/** The message with other params and every other byte as it was. */
export function withParams<F extends RequestFrame | NotificationFrame>(
  frame: F,
  params: unknown,
): F {
  const text = textLineOf(frame.line);
  const span = objectMembers(text).find(([name]) => name === "params")?.[1];
  const json = asciiJson(params);
  const line = (
    span === undefined
      ? `${text.slice(0, text.lastIndexOf("}"))},"params":${json}}`
      : text.slice(0, span.start) + json + text.slice(span.end)
  ) as TextLine;
  const shift = span === undefined ? 0 : json.length - (span.end - span.start);
  if (frame.kind === "notification") return { ...frame, line, params };
  const moved = span !== undefined && frame.idSpan.start > span.start ? shift : 0;
  const idSpan = { start: frame.idSpan.start + moved, end: frame.idSpan.end + moved };
  return { ...frame, line, params, idSpan };
}

/** The message with another piece of JSON for one of its params, and every other byte as it was. */
export function withParam<F extends RequestFrame | NotificationFrame>(
  frame: F,
  name: string,
  json: string,
): F {
  const before = textLineOf(frame.line);
  let line = before;
  // From the back, so that the spans before it stay right.
  for (const { start, end } of paramSpans(before, name).toReversed()) {
    line = (line.slice(0, start) + json + line.slice(end)) as TextLine;
  }
  const params = isRecord(frame.params)
    ? { ...frame.params, [name]: JSON.parse(textOf(json)) as unknown }
    : frame.params;
  if (frame.kind === "notification") return { ...frame, line, params };
  const { start, end } = frame.idSpan;
  const [span] = paramSpans(before, name);
  const shift = span !== undefined && start > span.start ? line.length - before.length : 0;
  return { ...frame, line, params, idSpan: { start: start + shift, end: end + shift } };
}

/** How one of its params stands in the message. */
export function rawParam(
  { line }: RequestFrame | NotificationFrame,
  name: string,
): string | undefined {
  const text = textLineOf(line);
  const span = paramSpans(text, name).at(-1);
  return span === undefined ? undefined : text.slice(span.start, span.end);
}

/** Where the values of that param stand: one, unless somebody has written the name twice. */
function paramSpans(text: TextLine, name: string): Span[] {
  const params = objectMembers(text).find(([each]) => each === "params")?.[1];
  if (params === undefined || text[params.start] !== "{") return [];
  return objectMembers(text.slice(params.start, params.end))
    .filter(([each]) => each === name)
    .map(([, { start, end }]) => ({ start: params.start + start, end: params.start + end }));
}

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

/** Whether this piece of JSON can be the id of a request. */
export function isUsableId(raw: RawId): boolean {
  if (raw.startsWith('"')) return true;
  if (!/^-?\d{1,19}$/.test(raw)) return false;
  const id = BigInt(raw);
  return id >= INT64_MIN && id <= INT64_MAX;
}

function isErrorObject(value: unknown): value is RpcErrorObject {
  return (
    isRecord(value) && typeof value["code"] === "number" && typeof value["message"] === "string"
  );
}

function fault(
  id: RawId | null,
  kind: "parseError" | "invalidRequest",
  message: string,
  cause?: unknown,
): FrameFault {
  return { kind: "fault", id, error: new BrokerError(kind, message, { cause }) };
}
