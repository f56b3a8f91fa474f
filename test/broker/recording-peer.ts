import type { Peer } from "../../src/broker/peer.ts";
import { decodeFrame, type NotificationFrame, type RequestFrame } from "../../src/wire/frame.ts";
import { textLineOf } from "../../src/wire/line.ts";

/** A session as the parts of the router see it, that takes down what it is told. */
export interface RecordingPeer extends Peer {
  /** Every line, notifications included. */
  readonly lines: string[];
}

export function recordingPeer(id: number): RecordingPeer {
  const lines: string[] = [];
  return {
    id,
    experimentalApi: true,
    whenBusy: "refuse",
    lines,
    deliver: (frame) => void lines.push(textLineOf(frame.line)),
    send: (line) => void lines.push(textLineOf(line)),
  };
}

export function requestFrame(id: number | string, method: string, params?: unknown): RequestFrame {
  return decodeFrame(Buffer.from(JSON.stringify({ id, method, params }))) as RequestFrame;
}

export function notificationFrame(method: string, params?: unknown): NotificationFrame {
  return decodeFrame(Buffer.from(JSON.stringify({ method, params }))) as NotificationFrame;
}
