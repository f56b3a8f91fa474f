import { describe, expect, test } from "vitest";
import { turnFailure } from "../../../src/cli/run/turn-failure.ts";
import type { TurnResult } from "../../../src/index.ts";

const result: TurnResult = {
  status: "failed",
  threadId: "thread-1",
  turnId: "turn-1",
  message: "",
  error: null,
  durationMs: 1_000,
  usage: null,
  declined: [],
  failedMcpServers: [],
  unfinishedSubAgents: [],
};

function failed(
  codexErrorInfo: NonNullable<TurnResult["error"]>["codexErrorInfo"],
  message = "m",
): TurnResult {
  return {
    ...result,
    error: { message, codexErrorInfo, additionalDetails: null, misalignment: null },
  };
}

describe("a turn that did not complete", () => {
  test.each([
    ["usageLimitExceeded", "because the usage limit of the plan is reached: m", "Wait until"],
    ["unauthorized", "because the login was refused: m", "codex login"],
    [
      { httpConnectionFailed: { httpStatusCode: 401 } },
      "because the login was refused: m",
      "codex login",
    ],
    [
      { httpConnectionFailed: { httpStatusCode: 502 } },
      "could not be reached (HTTP 502): m",
      "--resume thread-1",
    ],
    [
      { responseStreamDisconnected: { httpStatusCode: null } },
      "answer broke off: m",
      "--resume thread-1",
    ],
    ["other", "The turn failed: m", "--resume thread-1"],
    ["somethingNew", "The turn failed: m", "--resume thread-1"],
    [{ toString: 1 }, "The turn failed: m", "--resume thread-1"],
    [null, "The turn failed: m", "--resume thread-1"],
  ])("F101: %j in words", (info, words, hint) => {
    const error = turnFailure(failed(info), undefined);
    expect(error?.kind).toBe("turnFailed");
    expect(error?.message).toContain(words);
    expect(error?.hint).toContain(hint);
    expect(error?.details).toMatchObject({
      threadId: "thread-1",
      turnId: "turn-1",
      codexErrorInfo: info,
    });
  });

  test("that says nothing is still a sentence", () => {
    expect(turnFailure(result, undefined)?.message).toBe("The turn failed.");
  });

  test("was interrupted, was too slow, or completed after all", () => {
    expect(turnFailure({ ...result, status: "interrupted" }, undefined)?.kind).toBe(
      "turnInterrupted",
    );
    expect(turnFailure({ ...result, status: "timedOut" }, 90_000)?.message).toBe(
      "The turn was not done within 1 min 30 s and was interrupted.",
    );
    expect(turnFailure({ ...result, status: "completed" }, undefined)).toBeUndefined();
  });
});
