import { describe, expect, test } from "vitest";
import { TurnOutcomes, type TurnOutcome } from "../../src/broker/turn-outcome.ts";
import { decodeFrame } from "../../src/wire/frame.ts";

class Watched {
  started = 0;
  readonly ended: TurnOutcome[] = [];
  readonly #outcomes = new TurnOutcomes(
    () => void (this.started += 1),
    (outcome) => void this.ended.push(outcome),
  );

  hears(method: string, params: object, threadId = "t"): this {
    const frame = decodeFrame(Buffer.from(JSON.stringify({ method, params })));
    if (frame.kind !== "notification") throw new Error(frame.kind);
    this.#outcomes.observe(frame, threadId);
    return this;
  }

  ends(status: string, error: object | null = null, threadId = "t"): this {
    return this.hears("turn/completed", { threadId, turn: { id: "1", status, error } }, threadId);
  }

  retries(codexErrorInfo: unknown, threadId = "t"): this {
    const error = { message: "Reconnecting...", codexErrorInfo };
    return this.hears("error", { error, willRetry: true, threadId }, threadId);
  }

  loses(): this {
    this.#outcomes.lost();
    return this;
  }
}

const unreachable = { responseStreamDisconnected: { httpStatusCode: null } };

describe("how a turn ended", () => {
  test("is what its app-server says", () => {
    const watched = new Watched();
    watched.hears("turn/started", {}).ends("completed").ends("interrupted").loses();
    expect(watched.started).toBe(1);
    expect(watched.ended).toEqual(
      ["completed", "interrupted", "lost"].map((status) => ({ status })),
    );
  });

  // As the real codex reports them; see the scripts in `test/cli/stats.codex.test.ts`.
  test.each([
    ["usageLimitExceeded", "", "usageLimitExceeded", false],
    ["contextWindowExceeded", "", "contextWindowExceeded", false],
    ["internalServerError", "", "internalServerError", false],
    ["other", "stream disconnected before completion: boom", "other", false],
    [
      "other",
      "stream disconnected before completion: Transport error: network error: error decoding response body",
      "responseStreamDisconnected",
      true,
    ],
    [{ httpConnectionFailed: { httpStatusCode: null } }, "", "httpConnectionFailed", true],
    [{ httpConnectionFailed: { httpStatusCode: 401 } }, "", "httpConnectionFailed 401", false],
    [{ httpConnectionFailed: { httpStatusCode: 404 } }, "", "httpConnectionFailed 404", false],
    [{ httpConnectionFailed: { httpStatusCode: 502 } }, "", "httpConnectionFailed 502", true],
    [
      { responseTooManyFailedAttempts: { httpStatusCode: 429 } },
      "",
      "responseTooManyFailedAttempts 429",
      false,
    ],
    [{ responseStreamConnectionFailed: {} }, "", "responseStreamConnectionFailed", true],
    [{ activeTurnNotSteerable: { turnKind: "review" } }, "", "activeTurnNotSteerable", false],
    [{}, "", "unknown", false],
    [null, "", "unknown", false],
  ])("is a failure of a kind: %j %s", (codexErrorInfo, message, kind, transport) => {
    const { ended } = new Watched().ends("failed", { message, codexErrorInfo });
    expect(ended).toEqual([{ status: "failed", kind, transport }]);
  });

  test("is a failure without a kind where nothing is said", () => {
    expect(new Watched().ends("failed").ended).toEqual([
      { status: "failed", kind: "unknown", transport: false },
    ]);
  });

  test("is a failure to reach the model when somebody gave up while Codex waited for the network", () => {
    const { ended } = new Watched().retries(unreachable).retries(unreachable).ends("interrupted");
    expect(ended).toEqual([
      { status: "failed", kind: "responseStreamDisconnected", transport: true },
    ]);
  });

  test("is an interruption when the model had answered after all, or another thread waits", () => {
    const watched = new Watched();
    watched.retries(unreachable).hears("item/started", {}).ends("interrupted");
    watched.retries(unreachable, "u").ends("interrupted");
    watched.retries(unreachable).hears("turn/started", {}).ends("interrupted");
    watched.retries(unreachable).hears("thread/closed", {}).ends("interrupted");
    watched.retries("serverOverloaded").ends("interrupted");
    expect(watched.ended).toEqual(Array.from({ length: 5 }, () => ({ status: "interrupted" })));
  });

  test("is a completion however often it was tried", () => {
    expect(new Watched().retries(unreachable).ends("completed").ended).toEqual([
      { status: "completed" },
    ]);
  });
});
