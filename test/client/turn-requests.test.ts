import { describe, expect, test } from "vitest";
import type { v2 } from "../../src/app-server/generated/index.ts";
import { joinsTurn, requestForThread, requestForTurn } from "../../src/client/turn-requests.ts";

const opened = { thread: { id: "t" } } as v2.ThreadStartResponse;

describe("what a turn asks for", () => {
  test("is a new thread, or the one that it names", () => {
    const options = { prompt: "x", model: "m", ephemeral: true };
    const shared = { cwd: null, model: "m", sandbox: null, approvalPolicy: undefined };
    expect(requestForThread(options, "k")).toEqual({
      method: "thread/start",
      params: { ...shared, ephemeral: true },
    });
    expect(requestForThread({ ...options, threadId: "t" }, "k")).toEqual({
      method: "thread/resume",
      params: { ...shared, threadId: "t", excludeTurns: true },
    });
  });

  test("is a turn with the prompt, as text or as it is, or a review", () => {
    const text = [{ type: "text", text: "x", text_elements: [] }];
    expect(requestForTurn({ prompt: "x", effort: "low" }, opened, "k")).toEqual({
      method: "turn/start",
      params: { threadId: "t", input: text, effort: "low" },
    });
    const prompt: v2.UserInput[] = [{ type: "localImage", path: "/a.png" }];
    expect(requestForTurn({ prompt }, opened, "k").params).toEqual({
      threadId: "t",
      input: prompt,
    });
    const target = { type: "uncommittedChanges" } as const;
    expect(requestForTurn({ target }, opened, "k")).toEqual({
      method: "review/start",
      params: { threadId: "t", target },
    });
  });

  test("has its wishes for a busy thread with it, where it would wait", () => {
    const options = { prompt: "x", threadId: "t", whenBusy: "queue", timeoutMs: 5 } as const;
    const broker = { whenBusy: "queue", ticket: "k", deadlineMs: 5 };
    expect(requestForThread(options, "k").params).toMatchObject({ broker });
    expect(requestForTurn(options, opened, "k").params).toMatchObject({ broker });
  });

  test("is nothing but the thread where it joins a turn that runs", () => {
    expect(joinsTurn({ threadId: "t" })).toBe(true);
    expect(joinsTurn({ threadId: "t", prompt: "" })).toBe(false);
    expect(joinsTurn({ target: { type: "uncommittedChanges" } })).toBe(false);
  });
});
