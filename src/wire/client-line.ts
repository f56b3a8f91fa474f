import { BrokerError } from "../base/errors.ts";
import { decodeFrame, type Frame, type FrameFault } from "./frame.ts";
import { nestingOf, objectMembers } from "./json-members.ts";
import type { TextLine } from "./line.ts";
import { isRecord } from "./messages.ts";

/** The app-server's parser gives up at 128, and says nothing. */
const DEEPEST_NESTING = 127;
const ESCAPE_LENGTH = "\\u0000".length;

/**
 * A line of a client as a message. What is JSON to us and not to the app-server is a fault too: it
 * would drop the line without a word, and whoever waits for the answer would wait in vain.
 */
export function decodeClientLine(bytes: Buffer): Frame<TextLine> | FrameFault {
  const frame = decodeFrame(bytes);
  if (frame.kind === "fault") return frame;
  const why =
    whyUnreadable(frame.line) ?? (frame.kind === "request" ? whyNoTrace(frame.line) : undefined);
  if (why === undefined) return frame;
  const id = frame.kind === "request" ? frame.id : null;
  return { kind: "fault", id, error: new BrokerError("invalidRequest", why) };
}

/** The parser's own marks of a number and of raw text: an object that begins with one is none to it. */
const PARSER_MARK = /\{\s*"\$serde_json::private::/;

function whyUnreadable(line: TextLine): string | undefined {
  if (nestingOf(line) > DEEPEST_NESTING) {
    return `The message is nested deeper than ${DEEPEST_NESTING} levels.`;
  }
  if (hasHalfCharacter(line)) {
    return "The message has half a character in it (a surrogate without its pair): was a text cut there?";
  }
  if (line.includes("$serde_json::private::") && PARSER_MARK.test(line)) {
    return "The message has an object whose first name begins with $serde_json::private::.";
  }
  return undefined;
}

const TRACE_TEXTS = ["traceparent", "tracestate"];

/** A trace context that the app-server does not understand takes the whole request along. */
function whyNoTrace(line: TextLine): string | undefined {
  // A name may be written with escapes.
  if (!line.includes('"trace"') && !line.includes("\\u")) return undefined;
  const [span, second] = objectMembers(line).flatMap(([name, value]) =>
    name === "trace" ? value : [],
  );
  if (span === undefined) return undefined;
  if (second !== undefined) return "The message has more than one trace.";
  const json = line.slice(span.start, span.end);
  const trace: unknown = JSON.parse(json);
  if (trace === null) return undefined;
  if (!isRecord(trace)) return "The message's trace is no object.";
  const names = objectMembers(json).map(([name]) => name);
  for (const name of TRACE_TEXTS) {
    if (names.indexOf(name) !== names.lastIndexOf(name)) {
      return `The message's trace has more than one ${name}.`;
    }
    if (typeof (trace[name] ?? "") !== "string") {
      return `The ${name} of the message's trace is not a string.`;
    }
  }
  return undefined;
}

/** Only an escape can write one: as bytes it would not be UTF-8. */
function hasHalfCharacter(line: TextLine): boolean {
  if (!/\\u[dD][89a-fA-F]/.test(line)) return false;
  let secondHalfAt: number | undefined;
  for (const { index, 1: hex } of line.matchAll(/\\(?:u([\da-fA-F]{4})|.)/g)) {
    const unit = hex === undefined ? 0 : Number.parseInt(hex, 16);
    const isSecond = unit >= 0xdc00 && unit <= 0xdfff;
    if (isSecond ? secondHalfAt !== index : secondHalfAt !== undefined) return true;
    secondHalfAt = unit >= 0xd800 && unit <= 0xdbff ? index + ESCAPE_LENGTH : undefined;
  }
  return secondHalfAt !== undefined;
}
