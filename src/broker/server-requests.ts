import { trace } from "../base/trace.ts";
import { serverRequestFacts } from "../app-server/method-table.ts";
import {
  withId,
  withParams,
  type AnswerFrame,
  type NotificationFrame,
  type RequestFrame,
} from "../wire/frame.ts";
import { errorLine, isRecord, resultLine, type RawId } from "../wire/messages.ts";
import { decliningAnswer } from "../wire/declining-answers.ts";
import type { Peer } from "./peer.ts";

/** A person may take a while to decide; after this the broker declines, so that no turn waits for ever. */
const ANSWER_WITHIN_MS = 10 * 60_000;

interface Asked {
  readonly upstreamId: RawId;
  readonly method: string;
  readonly threadId: string | undefined;
  readonly addressee: Peer;
  readonly timer: NodeJS.Timeout;
}

/**
 * Questions of the app-server on their way to the one session that may answer them. Upstream, any
 * answer with the right small integer counts; here only the addressee's does, and every question is
 * answered: by the addressee, or with a refusal when it is gone or silent.
 */
export class ServerRequests {
  readonly #sendUpstream: (line: string) => void;
  readonly #asked = new Map<RawId, Asked>();
  /** Which id a session knows a question by, until the app-server has called it resolved. */
  readonly #shownAs = new Map<RawId, { readonly id: RawId; readonly addressee: Peer }>();
  #nextId = 0;

  constructor(sendUpstream: (line: string) => void) {
    this.#sendUpstream = sendUpstream;
  }

  get open(): number {
    return this.#asked.size;
  }

  ask(frame: RequestFrame, addressee: Peer | undefined): void {
    if (addressee === undefined) {
      trace("info", "question.nobodyThere", { method: frame.method });
      return this.#decline(frame.id, frame.method);
    }
    const id = String(this.#nextId++);
    const timer = setTimeout(() => {
      trace("warn", "question.noAnswer", { method: frame.method, session: addressee.id });
      this.#settle(id);
      this.#decline(frame.id, frame.method);
    }, ANSWER_WITHIN_MS);
    const threadId = threadOf(frame);
    this.#asked.set(id, { upstreamId: frame.id, method: frame.method, threadId, addressee, timer });
    this.#shownAs.set(frame.id, { id, addressee });
    addressee.send(withId(frame, id));
  }

  /** An answer from a session. From anyone but the addressee it is as if it had not been given. */
  answer(from: Peer, frame: AnswerFrame): void {
    const asked = this.#asked.get(frame.id);
    if (asked === undefined || asked.addressee !== from) {
      return trace("warn", "question.strayAnswer", { session: from.id, id: frame.id });
    }
    this.#settle(frame.id);
    this.#sendUpstream(withId(frame, asked.upstreamId));
  }

  /** `serverRequest/resolved`, under the id by which the session knows the question. */
  resolved(
    frame: NotificationFrame,
  ): { readonly frame: NotificationFrame; readonly addressee: Peer } | undefined {
    const params = frame.params;
    if (!isRecord(params)) return undefined;
    const upstreamId = JSON.stringify(params["requestId"]);
    const shown = this.#shownAs.get(upstreamId);
    if (shown === undefined) return undefined;
    this.#shownAs.delete(upstreamId);
    this.#settle(shown.id);
    const translated = withParams(frame, { ...params, requestId: Number(shown.id) });
    return { frame: translated, addressee: shown.addressee };
  }

  /** The session has gone: whatever it was asked is declined. */
  leave(peer: Peer): void {
    for (const [id, asked] of this.#asked) {
      if (asked.addressee !== peer) continue;
      this.#settle(id);
      this.#decline(asked.upstreamId, asked.method);
    }
  }

  /** No question can be answered any more. */
  clear(): void {
    for (const id of this.#asked.keys()) this.#settle(id);
    this.#shownAs.clear();
  }

  #settle(id: RawId): void {
    const asked = this.#asked.get(id);
    if (asked === undefined) return;
    clearTimeout(asked.timer);
    this.#asked.delete(id);
    // Only questions of a thread are called resolved later; for the others this was the end.
    if (asked.threadId === undefined) this.#shownAs.delete(asked.upstreamId);
  }

  #decline(upstreamId: RawId, method: string): void {
    const declined = decliningAnswer(method);
    this.#sendUpstream(
      "result" in declined
        ? resultLine(upstreamId, declined.result)
        : errorLine(upstreamId, declined.error),
    );
  }
}

/** The thread that a question of the app-server belongs to. */
export function threadOf(frame: RequestFrame): string | undefined {
  const path = serverRequestFacts(frame.method)?.threadId ?? "threadId";
  const value = isRecord(frame.params) ? frame.params[path] : undefined;
  return typeof value === "string" ? value : undefined;
}
