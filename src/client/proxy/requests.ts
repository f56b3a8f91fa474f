import { withParam, type NotificationFrame, type RequestFrame } from "../../wire/frame.ts";
import { canonicalId, type RawId } from "../../wire/messages.ts";
import { namedRequest } from "../../wire/request-ids.ts";
import type { BrokerSession } from "./broker-session.ts";

interface Sent {
  /** As the program wrote it. */
  readonly frame: RequestFrame;
  readonly session: BrokerSession;
  readonly idThere: RawId;
}

/** What the program has asked and has no response to, by its own ids and by those of the connections. */
export class ProxiedRequests {
  readonly #sent = new Map<RawId, Sent>();

  sent(frame: RequestFrame, session: BrokerSession, idThere: RawId): void {
    this.#sent.set(canonicalId(frame.id), { frame, session, idThere });
  }

  settled(frame: RequestFrame): void {
    const key = canonicalId(frame.id);
    // The program may have used its id again.
    if (this.#sent.get(key)?.frame === frame) this.#sent.delete(key);
  }

  /**
   * A message of the program with the id that the broker knows the named request by, and where that is.
   *
   * @returns undefined when it names none; "nothing" when it names one that is not outstanding.
   */
  toBroker<F extends RequestFrame | NotificationFrame>(
    frame: F,
  ): { readonly frame: F; readonly session: BrokerSession } | "nothing" | undefined {
    const named = namedRequest(frame);
    if (named === undefined) return undefined;
    const sent = this.#sent.get(named.id);
    if (sent === undefined) return named.isKnown ? "nothing" : undefined;
    return { frame: withParam(frame, named.param, sent.idThere), session: sent.session };
  }

  /** A notification of a broker with the program's own id for the request that it names. */
  toProgram(frame: NotificationFrame, session: BrokerSession): NotificationFrame | undefined {
    const named = namedRequest(frame);
    if (named === undefined) return frame;
    const sent = [...this.#sent.values()].find(
      (each) => each.session === session && each.idThere === named.id,
    );
    if (sent === undefined) return named.isKnown ? undefined : frame;
    return withParam(frame, named.param, sent.frame.id);
  }
}
