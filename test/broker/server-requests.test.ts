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
import { textLineOf } from "../../src/wire/line.ts";

const APPROVAL = "item/commandExecution/requestApproval";
const KINDS = [...Object.keys(serverRequests), "item/newThing/requestApproval"];
const ANSWER_WITHIN_MS = 600_000;
/** How long a question waits for somebody to come. */
const JOIN_WITHIN_MS = 30_000;

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
  const questions = new ServerRequests(
    (line) => answers.push(JSON.parse(textLineOf(line))),
    ANSWER_WITHIN_MS,
  );
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

function errorTo(line: string | undefined, code: number): AnswerFrame {
  const { id } = JSON.parse(line ?? "") as { id: unknown };
  const error = { code, message: "no" };
  return decodeFrame(Buffer.from(JSON.stringify({ id, error }))) as AnswerFrame;
}

/** The ids by which a session was asked, in order. */
const idsOf = (peer: RecordingPeer): unknown[] =>
  peer.lines.map((line) => (JSON.parse(line) as { id: unknown }).id);

const hearsT = (threadId: string): boolean => threadId === "t";

const declinedAs = (id: number | string, method = APPROVAL): unknown => ({
  id,
  ...decliningAnswer(method),
});

describe("a question of the app-server (F65)", () => {
  test("goes to all who were named, to each under its own id, and is otherwise as it was", () => {
    const { questions, owner, other } = setting();
    questions.ask(approval(5), [owner, other]);
    expect([owner, other].map(({ lines }) => JSON.parse(lines[0] ?? "") as unknown)).toEqual([
      { id: 0, method: APPROVAL, params: { threadId: "t", big: 1 } },
      { id: 1, method: APPROVAL, params: { threadId: "t", big: 1 } },
    ]);
    expect(questions.open).toBe(1);
  });

  test("is answered by the first of them, under the old id, and by nobody after that", () => {
    const { questions, answers, owner, other } = setting();
    questions.ask(approval(5), [owner, other]);
    questions.answer(other, answerTo(other.lines[0], { decision: "decline" }));
    questions.answer(owner, answerTo(owner.lines[0]));
    questions.answer(other, answerTo(other.lines[0]));
    expect(answers).toEqual([{ id: 5, result: { decision: "decline" } }]);
    expect(questions.open).toBe(0);
  });

  test("is answered by nobody under the id of another, nor by one who was not asked", () => {
    const { questions, answers, owner, other } = setting();
    const stranger = recordingPeer(3);
    questions.ask(approval(5), [owner, other]);
    questions.ask(approval(6, "o"), [other]);
    questions.answer(other, answerTo(owner.lines[0]));
    questions.answer(owner, answerTo(other.lines[0]));
    questions.answer(owner, answerTo(other.lines[1]));
    for (const line of [...owner.lines, ...other.lines]) questions.answer(stranger, answerTo(line));
    expect(answers).toEqual([]);
    expect(questions.open).toBe(2);
  });

  test("is not answered by an id in quotes, nor by one that was never asked", () => {
    const { questions, answers, owner } = setting();
    questions.ask(approval(5), [owner]);
    for (const id of ["0", 5, 99]) {
      const line = Buffer.from(JSON.stringify({ id, result: {} }));
      questions.answer(owner, decodeFrame(line) as AnswerFrame);
    }
    expect(answers).toEqual([]);
  });

  test("has an id of its own, though the app-server's ids come again", () => {
    const { questions, owner } = setting();
    for (let n = 0; n < 3; n += 1) {
      questions.ask(approval(0), [owner]);
      questions.answer(owner, answerTo(owner.lines[n]));
      questions.resolved(resolved(0));
    }
    expect(new Set(idsOf(owner)).size).toBe(3);
  });

  test("is asked once, though the app-server asks it again when another one resumes the thread", () => {
    const { questions, answers, owner } = setting();
    questions.ask(approval(5), [owner]);
    questions.ask(approval(5), [owner]);
    expect(idsOf(owner)).toHaveLength(1);
    questions.answer(owner, answerTo(owner.lines[0]));
    expect(answers).toHaveLength(1);
    expect(questions.open).toBe(0);
  });

  test("is not asked again, though the app-server does while the answer is on its way", () => {
    const { questions, owner, other } = setting();
    questions.ask(approval(5), [owner]);
    questions.answer(owner, answerTo(owner.lines[0]));
    questions.ask(approval(5), [owner, other]);
    expect([idsOf(owner), idsOf(other)]).toEqual([[0], []]);
    expect(questions.resolved(resolved(5)).map(({ to }) => to.id)).toEqual([1]);
  });
});

describe("a session that has nobody to ask (F65)", () => {
  test.each([-32_601, -32_603, 1])("passes with the error %d, and the others decide", (code) => {
    const { questions, answers, owner, other } = setting();
    questions.ask(approval(5), [owner, other]);
    questions.answer(owner, errorTo(owner.lines[0], code));
    questions.answer(owner, answerTo(owner.lines[0], { decision: "cancel" }));
    expect(answers).toEqual([]);
    questions.answer(other, answerTo(other.lines[0]));
    expect(answers).toEqual([{ id: 5, result: { decision: "accept" } }]);
  });

  test("is told all the same when the question is resolved", () => {
    const { questions, owner, other } = setting();
    questions.ask(approval(5), [owner, other]);
    questions.answer(other, errorTo(other.lines[0], -32_601));
    expect(questions.resolved(resolved(5)).map(({ to }) => to.id)).toEqual([1, 2]);
  });
});

describe("a question whose sessions have gone (F65)", () => {
  test("waits for whoever joins its thread, who can answer it", () => {
    const { questions, answers, owner, other } = setting();
    questions.ask(approval(5), [owner]);
    questions.left(owner);
    clock.pass(JOIN_WITHIN_MS - 1);
    questions.joined(other, hearsT);
    questions.answer(owner, answerTo(owner.lines[0], { decision: "decline" }));
    clock.pass(ANSWER_WITHIN_MS - 1);
    expect(answers).toEqual([]);
    questions.answer(other, answerTo(other.lines[0]));
    expect(answers).toEqual([{ id: 5, result: { decision: "accept" } }]);
  });

  test("is not for one who joins another thread, and is shown to nobody twice", () => {
    const { questions, owner, other } = setting();
    questions.ask(approval(5), [owner]);
    questions.joined(owner, hearsT);
    questions.joined(other, (threadId) => threadId === "o");
    expect([owner.lines.length, other.lines.length]).toEqual([1, 0]);
  });

  test("is not shown any more when it is answered", () => {
    const { questions, owner, other } = setting();
    questions.ask(approval(5), [owner]);
    questions.answer(owner, answerTo(owner.lines[0]));
    questions.joined(other, hearsT);
    expect(other.lines).toEqual([]);
  });

  test("stays with those who are still there", () => {
    const { questions, answers, owner, other } = setting();
    questions.ask(approval(5), [owner, other]);
    questions.left(owner);
    clock.pass(JOIN_WITHIN_MS);
    expect(answers).toEqual([]);
    expect(questions.resolved(resolved(5)).map(({ to }) => to.id)).toEqual([2]);
  });

  test("is lost to a session that has left only this thread", () => {
    const { questions, answers, owner } = setting();
    questions.ask(approval(5), [owner]);
    questions.ask(approval(6, "o"), [owner]);
    questions.left(owner, (threadId) => threadId === "o");
    questions.answer(owner, answerTo(owner.lines[0]));
    questions.answer(owner, answerTo(owner.lines[1]));
    expect(answers).toEqual([{ id: 6, result: { decision: "accept" } }]);
  });
});

describe.each(KINDS)("%s is declined in its own shape (F65, F93)", (method) => {
  const params = { threadId: "t", conversationId: "t" };

  test("when nobody is there and nobody comes", () => {
    const { questions, answers } = setting();
    questions.ask(requestFrame("a", method, params), []);
    clock.pass(JOIN_WITHIN_MS);
    expect(answers).toEqual([declinedAs("a", method)]);
    expect(questions.open).toBe(0);
  });

  test("at once when nobody is there and it is of no thread", () => {
    const { questions, answers } = setting();
    questions.ask(requestFrame("a", method, {}), []);
    expect(answers).toEqual([declinedAs("a", method)]);
  });

  test("when its sessions go and nobody comes, and a late answer changes nothing", () => {
    const { questions, answers, owner, other } = setting();
    questions.ask(requestFrame(5, method, params), [owner]);
    questions.ask(requestFrame(6, method, params), [other]);
    questions.left(owner);
    clock.pass(JOIN_WITHIN_MS - 1);
    expect(answers).toEqual([]);
    clock.pass(1);
    expect(answers).toEqual([declinedAs(5, method)]);
    questions.answer(owner, answerTo(owner.lines[0]));
    questions.left(owner);
    expect(answers).toHaveLength(1);
    expect(questions.open).toBe(1);
  });

  test("when all have passed", () => {
    const { questions, answers, owner, other } = setting();
    questions.ask(requestFrame(5, method, params), [owner, other]);
    questions.answer(other, errorTo(other.lines[0], -32_601));
    expect(answers).toEqual([]);
    questions.answer(owner, errorTo(owner.lines[0], -32_601));
    expect(answers).toEqual([declinedAs(5, method)]);
  });

  test("when all are silent for too long, but not before", () => {
    const { questions, answers, owner, other } = setting();
    questions.ask(requestFrame(5, method, params), [owner, other]);
    clock.pass(ANSWER_WITHIN_MS - 1);
    expect(answers).toEqual([]);
    clock.pass(1);
    expect(answers).toEqual([declinedAs(5, method)]);
    questions.answer(owner, answerTo(owner.lines[0]));
    questions.answer(other, answerTo(other.lines[0]));
    clock.pass(ANSWER_WITHIN_MS);
    expect(answers).toHaveLength(1);
  });
});

describe("serverRequest/resolved", () => {
  test("comes to each session under the id by which it knows the question", () => {
    const { questions, owner, other } = setting();
    questions.ask(approval(4), [owner]);
    questions.ask(approval(5), [owner, other]);
    questions.answer(owner, answerTo(owner.lines[1]));
    const told = questions.resolved(resolved(5));
    expect(told.map(({ to, frame }) => [to.id, frame.params])).toEqual([
      [1, { threadId: "t", requestId: 1 }],
      [2, { threadId: "t", requestId: 2 }],
    ]);
    expect(JSON.parse(textLineOf(told[0]!.frame.line))).toEqual({
      method: "serverRequest/resolved",
      params: { threadId: "t", requestId: 1 },
    });
    expect(questions.resolved(resolved(5))).toEqual([]);
  });

  test("before the answer takes the question back: an answer to it goes nowhere", () => {
    const { questions, answers, owner } = setting();
    questions.ask(approval(5), [owner]);
    expect(questions.resolved(resolved(5))).toHaveLength(1);
    expect(questions.open).toBe(0);
    questions.answer(owner, answerTo(owner.lines[0]));
    clock.pass(ANSWER_WITHIN_MS);
    expect(answers).toEqual([]);
  });

  test("of a question with a text for an id is known by that", () => {
    const { questions, owner } = setting();
    questions.ask(approval("q"), [owner]);
    expect(questions.resolved(resolved("q"))[0]?.frame.params).toMatchObject({ requestId: 0 });
  });

  test("of a question that nobody was asked is for nobody", () => {
    const { questions } = setting();
    questions.ask(approval(5), []);
    for (const id of [5, 6, "5", null, undefined]) {
      expect(questions.resolved(resolved(id))).toEqual([]);
    }
    expect(questions.resolved(notificationFrame("serverRequest/resolved"))).toEqual([]);
  });
});

test("answers that are never called resolved are not kept for ever", () => {
  const { questions, owner } = setting();
  for (let id = 0; id < 300; id += 1) {
    questions.ask(approval(id), [owner]);
    questions.answer(owner, answerTo(owner.lines[id]));
  }
  expect(questions.resolved(resolved(0))).toEqual([]);
  expect(questions.resolved(resolved(299))).toHaveLength(1);
});

test("F42: nothing is left to be answered, or to wait for, once the app-server has gone", () => {
  const { questions, answers, owner } = setting();
  questions.ask(approval(5), [owner]);
  questions.ask(approval(6), []);
  questions.clear();
  expect(questions.open).toBe(0);
  questions.answer(owner, answerTo(owner.lines[0]));
  questions.left(owner);
  clock.pass(ANSWER_WITHIN_MS);
  expect(questions.resolved(resolved(5))).toEqual([]);
  expect(answers).toEqual([]);
});
