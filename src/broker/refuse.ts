import type { BrokerError } from "../base/errors.ts";
import type { RequestFrame } from "../wire/frame.ts";
import { errorLine, toRpcError } from "../wire/messages.ts";
import type { Peer } from "./peer.ts";

/** Answers a request of the session with an error of ours. */
export function refuse(peer: Peer, { id }: RequestFrame, error: BrokerError): void {
  peer.send(errorLine(id, toRpcError(error)));
}
