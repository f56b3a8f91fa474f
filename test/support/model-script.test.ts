import { describe, expect, test } from "vitest";

import { type Step, parseScript, stepsOfRequest } from "./model-script.ts";

describe("model script", () => {
  test.each<[prompt: string, step: Step]>([
    ["say: hello world", { kind: "say", text: "hello world" }],
    ["slow: 20x50ms tick", { kind: "slow", deltas: 20, pauseMs: 50, text: "tick" }],
    ["slow: 3x5ms", { kind: "slow", deltas: 3, pauseMs: 5, text: "tick" }],
    ["type: 5ms a b", { kind: "type", pauseMs: 5, text: "a b" }],
    ["ponder: 5ms a b", { kind: "ponder", pauseMs: 5, text: "a b" }],
    [
      "stream: 500 deltas at 100/s of 64 bytes",
      { kind: "stream", deltas: 500, perSecond: 100, bytes: 64 },
    ],
    ['json: {"ok":true}', { kind: "json", text: '{"ok":true}' }],
    ["shell: a; b", { kind: "shell", command: "a; b", ask: false }],
    ["shell-ask: a", { kind: "shell", command: "a", ask: true }],
    ['tool: note {"text":"a b"}', { kind: "tool", name: "note", args: '{"text":"a b"}' }],
    ["tool: note", { kind: "tool", name: "note", args: "{}" }],
    ["http: 500", { kind: "http", status: 500 }],
    ["quota", { kind: "quota" }],
    ["silence", { kind: "silence" }],
  ])("%s", (prompt, step) => {
    expect(parseScript(prompt)).toEqual([step]);
  });

  test.each([
    "hello",
    "slow: down",
    "type: a",
    "stream: x",
    "http: 200",
    "constructor",
    "Say: hi",
    "",
  ])("%j is none, and echoed", (prompt) => {
    expect(parseScript(prompt)).toEqual([{ kind: "say", text: `You said: ${prompt}` }]);
  });

  test("an echo is short", () => {
    const [step] = parseScript("x".repeat(5_000));
    expect(step).toEqual({ kind: "say", text: `You said: ${"x".repeat(200)}` });
  });

  test.each([
    ["say: a", 0, ["say"]],
    ["say: a ;; shell: b ;; say: c ;; shell: d", 0, ["say", "shell"]],
    ["say: a ;; shell: b ;; say: c ;; shell: d", 1, ["say", "shell"]],
    ["say: a ;; shell: b ;; say: c ;; shell: d", 2, []],
    ["shell: a ;; http: 500", 1, ["http"]],
  ])("of %s, the request after %i outputs does %j", (prompt, done, kinds) => {
    expect(stepsOfRequest(parseScript(prompt), done).map(({ kind }) => kind)).toEqual(kinds);
  });
});
