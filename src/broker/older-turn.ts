import { Deadline } from "../base/deadline.ts";
import type { OlderTurn } from "../lifecycle/older-brokers.ts";
import type { RequestFrame } from "../wire/frame.ts";
import type { Line } from "../wire/line.ts";
import { errorLine, resultLine, rpcErrorOf } from "../wire/messages.ts";
import type { Peer } from "./peer.ts";

/** An interrupt is answered in about 10 ms. */
const REACH_LIMIT_MS = 5_000;

const TURN_REACHERS = new Set(["turn/interrupt", "turn/steer"]);

/** Whether it reaches into a turn that runs, wherever that does. */
export function reachesIntoTurn(frame: RequestFrame): boolean {
  return TURN_REACHERS.has(frame.method);
}

/** @returns the answer of the broker that runs the turn, as a line for whoever asked. */
async function askOlderTurn({ link }: OlderTurn, frame: RequestFrame): Promise<Line> {
  try {
    const deadline = Deadline.after(REACH_LIMIT_MS);
    const result = await link.connection.request(frame.method, frame.params, { deadline });
    return resultLine(frame.id, result);
  } catch (error) {
    return errorLine(frame.id, rpcErrorOf(error));
  } finally {
    link.connection.close();
  }
}

/** Sends the request to an older broker that runs the turn which it is about, else does the other thing. */
export async function reachOlderTurn(
  peer: Peer,
  frame: RequestFrame,
  finding: Promise<OlderTurn | undefined>,
  otherwise: () => void,
): Promise<void> {
  const older = await finding;
  if (older === undefined) return otherwise();
  peer.send(await askOlderTurn(older, frame));
}
