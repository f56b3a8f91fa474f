import { describe, expect, test } from "vitest";
import { BrokerError } from "../../src/base/errors.ts";
import { explained, lostAsTold } from "../../src/client/turn-errors.ts";
import { RpcError } from "../../src/wire/messages.ts";

const known = { intent: undefined, threadId: "t", turnId: "u" };

describe("a turn without a terminal event", () => {
  test("was lost where its connection was, once it had a thread", () => {
    const lost = new BrokerError("connectionLost", "gone");
    expect(explained(lost, known)).toMatchObject({
      kind: "turnLost",
      details: { threadId: "t", turnId: "u" },
      cause: lost,
    });
    expect(explained(lost, { ...known, threadId: undefined })).toBe(lost);
    const told = new BrokerError("turnLost", "as told");
    expect(explained(told, known)).toBe(told);
  });

  test("was ended before it began where that was asked for", () => {
    const unqueued = new BrokerError("turnInterrupted", "taken out");
    expect(explained(unqueued, { ...known, intent: "timedOut" })).toMatchObject({
      kind: "timedOut",
    });
    expect(explained(unqueued, known)).toBe(unqueued);
  });

  test("was refused as Codex says, or for a reason whose cure is known", () => {
    const refused = new RpcError({ code: -1, message: "no" });
    expect(explained(refused, known)).toBe(refused);
    const broken = new RpcError({ code: -1, message: "Failed to load configuration: line 1" });
    expect(explained(broken, known)).toMatchObject({ kind: "codexConfigInvalid", cause: broken });
  });

  test("was lost for the reason that the broker tells, where it tells one of ours", () => {
    const error = new BrokerError("appServerExited", "it ended", { hint: "h" }).toJSON();
    expect(lostAsTold({ error })).toMatchObject({ kind: "appServerExited", hint: "h" });
    expect(lostAsTold({ error: { kind: "unheard of" } })).toMatchObject({ kind: "turnLost" });
    expect(lostAsTold({})).toMatchObject({ kind: "turnLost" });
  });
});
