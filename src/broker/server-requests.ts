import { monotonicMs, startTimer, type Timer } from "../base/deadline.ts";
import { trace } from "../base/trace.ts";
import { serverRequestFacts } from "../app-server/method-table.ts";
import {
  withId,
  withParams,
  type AnswerFrame,
  type NotificationFrame,
  type RequestFrame,
} from "../wire/frame.ts";
import type { Line } from "../wire/line.ts";
import { errorLine, isRecord, rawIdOf, resultLine, type RawId } from "../wire/messages.ts";
import type { OpenQuestion } from "../wire/broker-protocol.ts";
import { decliningAnswer } from "../wire/declining-answers.ts";
import { subjectOf } from "./question-subject.ts";
import type { Peer } from "./peer.ts";

/** A session that was cut off is back within seconds; a turn that waits for nobody must not wait for long. */
const JOIN_WITHIN_MS = 30_000;

/** So many answers may wait to be called resolved, should the app-server not call some of them that. */
const MAX_UNRESOLVED = 256;

/** A question of the app-server that has not been called resolved yet. */
interface Question {
  readonly frame: RequestFrame;
  readonly threadId: string | undefined;
  /** The sessions that know it, each with the id that it knows it by. */
  readonly shownAs: Map<Peer, RawId>;
  /** Those of them that may still answer it. */
  readonly awaited: Set<Peer>;
  readonly askedAt: number;
  answered: boolean;
  timer: Timer | undefined;
}

/**
 * Questions of the app-server on their way to the sessions that may answer them: all that hear the
 * thread. The first answer counts. Upstream, any answer with the right small integer counts; here each
 * session has an id of its own, and only the sessions that were asked are heard.
 *
 * An error is no answer: the session has nobody who could decide, and leaves it to the others. So a
 * session that answers everything with -32601 never declines for one that has a person in front of
 * it. Every question ends: answered, or declined in its own shape when all have passed, when all were
 * silent for too long, or when nobody was there and nobody came.
 */
export class ServerRequests {
  readonly #sendUpstream: (line: Line) => void;
  readonly #answerWithinMs: number;
  readonly #onDeclined: (threadId: string | undefined, frame: RequestFrame) => void;
  readonly #questions = new Map<RawId, Question>();
  readonly #answered = new Set<Question>();
  readonly #shown = new Map<RawId, { readonly question: Question; readonly to: Peer }>();
  #nextId = 0;

  /** @param answerWithinMs A person may take a while to decide, but no turn waits for ever. */
  constructor(
    sendUpstream: (line: Line) => void,
    answerWithinMs: number,
    onDeclined: (threadId: string | undefined, frame: RequestFrame) => void = () => {},
  ) {
    this.#onDeclined = onDeclined;
    this.#sendUpstream = sendUpstream;
    this.#answerWithinMs = answerWithinMs;
  }

  get open(): number {
    return [...this.#questions.values()].filter(({ answered }) => !answered).length;
  }

  /** Returns what is asked in the thread and not answered yet. */
  openIn(threadId: string): OpenQuestion[] {
    const now = monotonicMs();
    return [...this.#questions.values()]
      .filter((question) => !question.answered && question.threadId === threadId)
      .map(({ frame, askedAt, awaited }) => ({
        method: frame.method,
        about: subjectOf(frame.params),
        ageMs: Math.round(now - askedAt),
        sessions: [...awaited].map(({ id }) => id),
      }));
  }

  /** Asks all of them. Where there is nobody, a question of a thread waits for whoever joins it. */
  ask(frame: RequestFrame, addressees: Iterable<Peer>): void {
    // Asked again when another session resumes the thread: whoever joins is shown it anyway, and an answer
    // may be on its way already. No other question ever has this id.
    if (this.#questions.has(frame.id)) return;
    const question: Question = {
      frame,
      threadId: threadOf(frame),
      shownAs: new Map(),
      awaited: new Set(),
      askedAt: monotonicMs(),
      answered: false,
      timer: undefined,
    };
    this.#questions.set(frame.id, question);
    for (const peer of addressees) this.#show(question, peer);
    this.#wait(question);
  }

  /** The session hears these threads from now on, and so what is still asked in them. */
  joined(peer: Peer, hears: (threadId: string) => boolean): void {
    for (const question of this.#questions.values()) {
      if (question.answered || question.shownAs.has(peer)) continue;
      if (question.threadId === undefined || !hears(question.threadId)) continue;
      this.#show(question, peer);
      this.#wait(question);
    }
  }

  /** The session has gone, or hears only these threads any more. */
  left(peer: Peer, hears: (threadId: string) => boolean = () => false): void {
    for (const question of this.#questions.values()) {
      const id = question.shownAs.get(peer);
      if (id === undefined || (question.threadId !== undefined && hears(question.threadId))) {
        continue;
      }
      question.shownAs.delete(peer);
      this.#shown.delete(id);
      if (question.awaited.delete(peer) && question.awaited.size === 0) this.#wait(question);
    }
  }

  /** An answer from a session. From anyone who was not asked it is as if it had not been given. */
  answer(from: Peer, frame: AnswerFrame): void {
    const shown = this.#shown.get(frame.id);
    if (shown?.to !== from || !shown.question.awaited.has(from)) {
      return trace("debug", "question.strayAnswer", { session: from.id, id: frame.id });
    }
    const { question } = shown;
    if (frame.error !== undefined) return this.#pass(question, from);
    this.#settle(question);
    this.#sendUpstream(withId(frame, question.frame.id));
  }

  /** `serverRequest/resolved`, for each session under the id by which it knows the question. */
  resolved(
    frame: NotificationFrame,
  ): Array<{ readonly frame: NotificationFrame; readonly to: Peer }> {
    const params = frame.params;
    if (!isRecord(params)) return [];
    const question = this.#questions.get(rawIdOf(params["requestId"]));
    if (question === undefined) return [];
    this.#settle(question);
    this.#forget(question);
    return [...question.shownAs].map(([to, id]) => ({
      to,
      frame: withParams(frame, { ...params, requestId: Number(id) }),
    }));
  }

  /** Sends `serverRequest/resolved` to the sessions that know the question. @returns whether it was one. */
  tellResolved(frame: NotificationFrame): boolean {
    if (frame.method !== "serverRequest/resolved") return false;
    for (const told of this.resolved(frame)) told.to.deliver(told.frame);
    return true;
  }

  /** No question can be answered any more. */
  clear(): void {
    for (const question of this.#questions.values()) {
      this.#settle(question);
      this.#forget(question);
    }
  }

  #show(question: Question, peer: Peer): void {
    const id = String(this.#nextId++);
    question.shownAs.set(peer, id);
    question.awaited.add(peer);
    this.#shown.set(id, { question, to: peer });
    peer.send(withId(question.frame, id));
  }

  /** For an answer where somebody was asked, else for somebody to ask. */
  #wait(question: Question): void {
    if (question.answered) return;
    question.timer?.stop();
    const nobody = question.awaited.size === 0;
    if (nobody && question.threadId === undefined) return this.#decline(question, "nobodyThere");
    question.timer = startTimer(nobody ? JOIN_WITHIN_MS : this.#answerWithinMs, () =>
      this.#decline(question, nobody ? "nobodyCame" : "noAnswer"),
    );
  }

  #pass(question: Question, from: Peer): void {
    question.awaited.delete(from);
    if (question.awaited.size === 0) this.#decline(question, "allPassed");
  }

  #decline(question: Question, because: string): void {
    const { id, method } = question.frame;
    trace("info", "question.declined", { method, because });
    if (method !== "currentTime/read") this.#onDeclined(question.threadId, question.frame);
    this.#settle(question);
    const declined = decliningAnswer(method);
    this.#sendUpstream(
      "result" in declined ? resultLine(id, declined.result) : errorLine(id, declined.error),
    );
  }

  #settle(question: Question): void {
    question.timer?.stop();
    question.answered = true;
    question.awaited.clear();
    // Only questions of a thread are called resolved later; for the others this was the end.
    if (question.threadId === undefined) return this.#forget(question);
    this.#answered.add(question);
    const [oldest] = this.#answered;
    if (this.#answered.size > MAX_UNRESOLVED && oldest !== undefined) this.#forget(oldest);
  }

  #forget(question: Question): void {
    this.#answered.delete(question);
    if (this.#questions.get(question.frame.id) === question) {
      this.#questions.delete(question.frame.id);
    }
    for (const id of question.shownAs.values()) this.#shown.delete(id);
  }
}

/** The thread that a question of the app-server belongs to. */
export function threadOf(frame: RequestFrame): string | undefined {
  const path = serverRequestFacts(frame.method)?.threadId ?? "threadId";
  const value = isRecord(frame.params) ? frame.params[path] : undefined;
  return typeof value === "string" ? value : undefined;
}
