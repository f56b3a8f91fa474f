import { isUtf8 } from "node:buffer";
import { trace } from "../base/trace.ts";
import { decodeFrame, type AnswerFrame, type Frame, type FrameFault } from "../wire/frame.ts";
import { LONG_BYTES, longLine, type LongLine } from "../wire/line.ts";
import { HEAD_BYTES } from "../wire/line-splitter.ts";
import { beginningOf } from "./line-head.ts";

/**
 * A line of the app-server as a message. What is long goes on in the bytes in which it came; and the
 * result of a long answer, which mostly nobody here wants to know, is parsed when somebody does.
 */
export function decodeServerLine(bytes: Buffer): Frame | FrameFault {
  if (bytes.length < LONG_BYTES) return decodeFrame(bytes);
  const answer = unreadAnswer(bytes);
  if (answer !== undefined) return answer;
  const frame = decodeFrame(bytes);
  return frame.kind === "notification" ? { ...frame, line: longLine(bytes) } : frame;
}

/** Codex's own word is taken for it that this is JSON: only whoever asked for it would find that it is not. */
function unreadAnswer(bytes: Buffer): AnswerFrame<LongLine> | undefined {
  const begins = beginningOf(bytes.subarray(0, HEAD_BYTES));
  if (begins?.kind !== "answer" || !isUtf8(bytes)) return undefined;
  let read: { readonly result: unknown } | undefined;
  return {
    ...begins,
    line: longLine(bytes),
    error: undefined,
    get result() {
      read ??= { result: resultIn(bytes) };
      return read.result;
    },
  };
}

function resultIn(bytes: Buffer): unknown {
  const frame = decodeFrame(bytes);
  if (frame.kind === "answer") return frame.result;
  trace("error", "upstream.badLine", {
    why: frame.kind === "fault" ? frame.error.message : `It is a ${frame.kind}.`,
    sample: bytes.subarray(0, 200).toString("utf8"),
  });
  return undefined;
}
