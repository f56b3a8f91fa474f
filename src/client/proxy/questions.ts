import {
  withId,
  withParams,
  type AnswerFrame,
  type NotificationFrame,
  type RequestFrame,
} from "../../wire/frame.ts";
import type { Line } from "../../wire/line.ts";
import { isRecord, notificationLine, rawIdOf, type RawId } from "../../wire/messages.ts";
import type { BrokerSession } from "./broker-session.ts";
import { threadIn } from "../thread-book.ts";

interface Asked {
  readonly session: BrokerSession;
  /** As the broker at the other end of that session knows it. */
  readonly id: RawId;
  readonly threadId: string | undefined;
  answered: boolean;
}

/** Questions on their way to the program: two brokers may ask under the same id at the same time. */
export class ProxiedQuestions {
  readonly #asked = new Map<RawId, Asked>();
  #nextId = 0;

  /** @returns the question under an id of the proxy's. */
  ask(session: BrokerSession, frame: RequestFrame): Line {
    const id = String(this.#nextId++);
    const threadId = threadIn(frame.params);
    this.#asked.set(id, { session, id: frame.id, threadId, answered: false });
    return withId(frame, id);
  }

  answer(frame: AnswerFrame): void {
    const asked = this.#asked.get(frame.id);
    if (asked === undefined || asked.answered) return;
    asked.answered = true;
    // Only questions of a thread are called resolved later; for the others this was the end.
    if (asked.threadId === undefined) this.#asked.delete(frame.id);
    asked.session.connection.sendLine(withId(frame, asked.id));
  }

  /** `serverRequest/resolved`, under the id by which the program knows the question. */
  resolved(session: BrokerSession, frame: NotificationFrame): NotificationFrame | undefined {
    const params = isRecord(frame.params) ? frame.params : {};
    const raw = rawIdOf(params["requestId"]);
    for (const [id, asked] of this.#asked) {
      if (asked.session !== session || asked.id !== raw) continue;
      this.#asked.delete(id);
      return withParams(frame, { ...params, requestId: Number(id) });
    }
    return undefined;
  }

  /** Nobody waits for these answers any more. @returns what tells the program so. */
  lose(session: BrokerSession): Line[] {
    return [...this.#asked].flatMap(([id, asked]) => {
      if (asked.session !== session) return [];
      this.#asked.delete(id);
      if (asked.answered || asked.threadId === undefined) return [];
      const params = { threadId: asked.threadId, requestId: Number(id) };
      return [notificationLine("serverRequest/resolved", params)];
    });
  }
}
