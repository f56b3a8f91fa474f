import { expect, test } from "vitest";
import { answerOf, type GateOutcome } from "../../../src/cli/hook/gate-outcome.ts";
import { hostJson } from "../../../src/cli/hook/hook-answer.ts";
import { gateAnswerIn, gatePrompt } from "../../../src/cli/hook/gate-request.ts";

const outcomes: Readonly<Record<GateOutcome["kind"], GateOutcome>> = {
  ok: { kind: "ok", summary: "Two tests were added." },
  findings: {
    kind: "findings",
    summary: "It loses the last line.",
    findings: [{ title: "lost line", file: "a.ts", line: 3, why: "no line feed" }],
    threadId: "t",
  },
  couldNotRun: { kind: "couldNotRun", why: "The usage limit is reached.", hint: "Wait." },
  timedOut: { kind: "timedOut", afterMs: 570_000 },
};

test("F101: only findings keep an agent from stopping, and no two outcomes look alike", () => {
  const said = Object.values(outcomes).map((outcome) => hostJson(answerOf(outcome)));
  expect(said.map((json) => Object.keys(json ?? {}))).toEqual([
    ["systemMessage"],
    ["decision", "reason"],
    ["systemMessage"],
    ["systemMessage"],
  ]);
  const texts = said.map((json) => JSON.stringify(json));
  expect(texts[0]).toContain("nothing to mend");
  expect(texts[1]).toContain("a.ts:3");
  expect(texts[2]).toContain("could not run");
  expect(texts[2]).toContain("usage limit");
  expect(texts[3]).toContain("not done within 9 min 30 s");
});

test("a hook that has nothing to say says nothing", () => {
  expect(hostJson({})).toBeUndefined();
});

test("an answer in another form is none", () => {
  const whole = { verdict: "pass", summary: "s", findings: [] };
  expect(gateAnswerIn(JSON.stringify(whole))).toEqual(whole);
  for (const text of ["", "pass", "{}", JSON.stringify({ ...whole, verdict: "maybe" })]) {
    expect(gateAnswerIn(text)).toBeUndefined();
  }
});

test("the prompt ends with what the agent said, whatever that is", () => {
  expect(gatePrompt("I am done.").endsWith("\n\nI am done.")).toBe(true);
  expect(gatePrompt("").endsWith("(nothing)")).toBe(true);
});
