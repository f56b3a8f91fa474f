import { BrokerError } from "../base/errors.ts";
import { decodeFrame, type Frame, type FrameFault } from "./frame.ts";
import { nestingOf } from "./json-members.ts";
import type { Line } from "./line.ts";

/** The app-server's parser gives up at 128, and says nothing. */
const DEEPEST_NESTING = 127;
const ESCAPE_LENGTH = "\\u0000".length;

/**
 * A line of a client as a message. What is JSON to us and not to the app-server is a fault too: it
 * would drop the line without a word, and whoever waits for the answer would wait in vain.
 */
export function decodeClientLine(bytes: Buffer): Frame | FrameFault {
  const frame = decodeFrame(bytes);
  if (frame.kind === "fault") return frame;
  const why = whyUnreadable(frame.line);
  if (why === undefined) return frame;
  const id = frame.kind === "request" ? frame.id : null;
  return { kind: "fault", id, error: new BrokerError("invalidRequest", why) };
}

function whyUnreadable(line: Line): string | undefined {
  if (nestingOf(line) > DEEPEST_NESTING) {
    return `The message is nested deeper than ${DEEPEST_NESTING} levels.`;
  }
  if (hasHalfCharacter(line)) {
    return "The message has half a character in it (a surrogate without its pair): was a text cut there?";
  }
  return undefined;
}

/** Only an escape can write one: as bytes it would not be UTF-8. */
function hasHalfCharacter(line: Line): boolean {
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
