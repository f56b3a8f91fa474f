import { describe, expect, test } from "vitest";
import { serverRequests } from "../../src/app-server/generated/methods.ts";
import { ServerRequests } from "../../src/broker/server-requests.ts";
import { decodeFrame, type AnswerFrame, type RequestFrame } from "../../src/wire/frame.ts";
import { decliningAnswer } from "../../src/wire/declining-answers.ts";
import { useFakeClock } from "../support/fake-clock.ts";
import {
  notificationFrame,
  recordingPeer,
  requestFrame,
  type RecordingPeer,
} from "./recording-peer.ts";

const APPROVAL = "item/commandExecution/requestApproval";
const KINDS = [...Object.keys(serverRequests), "item/newThing/requestApproval"];
const TEN_MINUTES_MS = 600_000;

const clock = useFakeClock();

interface Setting {
  readonly questions: ServerRequests;
  /** What went to the app-server. */
  readonly answers: unknown[];
  readonly owner: RecordingPeer;
  readonly other: RecordingPeer;
}

function setting(): Setting {
  const answers: unknown[] = [];
  const questions = new ServerRequests((line) => answers.push(JSON.parse(line)));
  return { questions, answers, owner: recordingPeer(1), other: recordingPeer(2) };
}

function approval(id: number | string, threadId = "t"): RequestFrame {
  return requestFrame(id, APPROVAL, { threadId, big: 1 });
}

function answerTo(line: string | undefined, result: unknown = { decision: "accept" }): AnswerFrame {
  const { id } = JSON.parse(line ?? "") as { id: unknown };
  return decodeFrame(Buffer.from(JSON.stringify({ id, result }))) as AnswerFrame;
}

const resolved = (requestId: unknown): ReturnType<typeof notificationFrame> =>
  notificationFrame("serverRequest/resolved", { threadId: "t", requestId });

const declinedAs = (id: number | string, method = APPROVAL): unknown => ({
  id,
  ...decliningAnswer(method),
});

describe("a question of the app-server (F65)", () => {
  test("goes to its addressee as it is but for the id, and the answer comes back under the old one", () => {
    const { questions, answers, owner } = setting();
    questions.ask(approval(5), owner);
    expect(owner.lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      { id: 0, method: APPROVAL, params: { threadId: "t", big: 1 } },
    ]);
    expect(questions.open).toBe(1);
    questions.answer(owner, answerTo(owner.lines[0]));
    expect(answers).toEqual([{ id: 5, result: { decision: "accept" } }]);
    expect(questions.open).toBe(0);
  });

  test("is answered by nobody but its addressee, and once", () => {
    const { questions, answers, owner, other } = setting();
    questions.ask(approval(5), owner);
    questions.ask(approval(6), other);
    questions.answer(other, answerTo(owner.lines[0]));
    expect(answers).toEqual([]);
    const good = answerTo(owner.lines[0], { decision: "decline" });
    questions.answer(owner, good);
    questions.answer(owner, good);
    questions.answer(other, good);
    expect(answers).toEqual([{ id: 5, result: { decision: "decline" } }]);
    expect(questions.open).toBe(1);
  });

  test("is not answered by an id in quotes, nor by one that was never asked", () => {
    const { questions, answers, owner } = setting();
    questions.ask(approval(5), owner);
    for (const id of ["0", 5, 99]) {
      const line = Buffer.from(JSON.stringify({ id, result: {} }));
      questions.answer(owner, decodeFrame(line) as AnswerFrame);
    }
    expect(answers).toEqual([]);
  });

  test("has an id of its own, though the app-server's ids come again", () => {
    const { questions, owner } = setting();
    for (let n = 0; n < 3; n += 1) {
      questions.ask(approval(0), owner);
      questions.answer(owner, answerTo(owner.lines[n]));
    }
    const ids = owner.lines.map((line) => (JSON.parse(line) as { id: number }).id);
    expect(new Set(ids).size).toBe(3);
  });

  test("may be answered with an error, which goes on unaltered", () => {
    const { questions, answers, owner } = setting();
    questions.ask(approval(5), owner);
    const error = { code: -1, message: "no", data: [1] };
    questions.answer(
      owner,
      decodeFrame(Buffer.from(JSON.stringify({ id: 0, error }))) as AnswerFrame,
    );
    expect(answers).toEqual([{ id: 5, error }]);
  });
});

describe.each(KINDS)("%s is declined in its own shape (F65, F93)", (method) => {
  test("when nobody is there", () => {
    const { questions, answers } = setting();
    questions.ask(requestFrame("a", method, { threadId: "t" }), undefined);
    expect(answers).toEqual([declinedAs("a", method)]);
    expect(questions.open).toBe(0);
  });

  test("when its session goes, and a late answer changes nothing", () => {
    const { questions, answers, owner, other } = setting();
    questions.ask(requestFrame(5, method, { threadId: "t" }), owner);
    questions.ask(requestFrame(6, method, { threadId: "t" }), other);
    questions.leave(owner);
    expect(answers).toEqual([declinedAs(5, method)]);
    questions.answer(owner, answerTo(owner.lines[0]));
    questions.leave(owner);
    expect(answers).toHaveLength(1);
    expect(questions.open).toBe(1);
  });

  test("when its session is silent for too long, but not before", () => {
    const { questions, answers, owner } = setting();
    questions.ask(requestFrame(5, method, { threadId: "t" }), owner);
    clock.pass(TEN_MINUTES_MS - 1);
    expect(answers).toEqual([]);
    clock.pass(1);
    expect(answers).toEqual([declinedAs(5, method)]);
    questions.answer(owner, answerTo(owner.lines[0]));
    clock.pass(TEN_MINUTES_MS);
    expect(answers).toHaveLength(1);
  });
});

describe("serverRequest/resolved", () => {
  test("comes under the id by which the session knows the question, and only to it", () => {
    const { questions, owner } = setting();
    questions.ask(approval(4), owner);
    questions.ask(approval(5), owner);
    questions.answer(owner, answerTo(owner.lines[1]));
    const told = questions.resolved(resolved(5));
    expect(told?.addressee).toBe(owner);
    expect(told?.frame.params).toEqual({ threadId: "t", requestId: 1 });
    expect(JSON.parse(told?.frame.text ?? "")).toEqual({
      method: "serverRequest/resolved",
      params: { threadId: "t", requestId: 1 },
    });
    expect(questions.resolved(resolved(5))).toBeUndefined();
  });

  test("before the answer takes the question back: an answer to it goes nowhere", () => {
    const { questions, answers, owner } = setting();
    questions.ask(approval(5), owner);
    expect(questions.resolved(resolved(5))?.frame.params).toMatchObject({ requestId: 0 });
    expect(questions.open).toBe(0);
    questions.answer(owner, answerTo(owner.lines[0]));
    clock.pass(TEN_MINUTES_MS);
    expect(answers).toEqual([]);
  });

  test("of a question with a text for an id is known by that", () => {
    const { questions, owner } = setting();
    questions.ask(approval("q"), owner);
    expect(questions.resolved(resolved("q"))?.frame.params).toMatchObject({ requestId: 0 });
  });

  test("of a question that nobody was asked is for nobody", () => {
    const { questions } = setting();
    questions.ask(approval(5), undefined);
    for (const id of [5, 6, "5", null, undefined]) {
      expect(questions.resolved(resolved(id))).toBeUndefined();
    }
    expect(questions.resolved(notificationFrame("serverRequest/resolved"))).toBeUndefined();
  });
});

test("F42: nothing is left to be answered, or to wait for, once the app-server has gone", () => {
  const { questions, answers, owner } = setting();
  questions.ask(approval(5), owner);
  questions.ask(requestFrame(6, "attestation/generate", {}), owner);
  questions.clear();
  expect(questions.open).toBe(0);
  questions.answer(owner, answerTo(owner.lines[0]));
  questions.leave(owner);
  clock.pass(TEN_MINUTES_MS);
  expect(questions.resolved(resolved(5))).toBeUndefined();
  expect(answers).toEqual([]);
});
