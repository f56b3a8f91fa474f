import { describe, expect, test } from "vitest";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { mcpServerTable } from "../support/mcp-server.ts";
import { makeWorld } from "../support/world.ts";

guardAgainstLeaks();

const sandboxMode = "workspace-write";

describe("a policy of a client", () => {
  test("S11: lets its turns call a tool, and says so; a turn's own policy comes first", async () => {
    const config = {
      approvalPolicy: "never",
      sandboxMode,
      tables: mcpServerTable("notes"),
    } as const;
    await using world = await makeWorld({ config });
    const allow = [{ kind: "mcpToolCall", server: "notes", tool: "note" }] as const;
    await using client = await world.connect({ policy: { allow } });
    const prompt = 'tool: note {"text":"kept"}';
    const turn = client.runTurn({ prompt });
    const types: string[] = [];
    for await (const event of turn) types.push(event.type);
    expect((await turn.result).message).toContain("noted: kept");
    expect(types).toContain("question.allowed");
    const strict = await client.runTurn({ prompt, policy: { allow: [] } }).result;
    expect(strict.message).toContain("approval policy is never");
  });

  test("F93: answers nothing of another one's turn, and neither does a client without a handler", async () => {
    await using world = await makeWorld({ config: { approvalPolicy: "on-request", sandboxMode } });
    const allow = [{ kind: "command", prefix: ["echo"] }] as const;
    await using owner = await world.connect();
    await using eager = await world.connect({ policy: { allow } });
    await using mute = await world.connect();
    const others = [eager, mute];
    const turn = owner.runTurn({
      prompt: "say: I ask. ;; hold: gate ;; shell-ask: echo yes",
      onQuestion: async () => {
        // They were asked before this: their answer to the question is with the broker by then.
        for (const client of [...others, ...others]) await client.request("broker/turns", {});
        return { decision: "accept" };
      },
    });
    for await (const event of turn) {
      if (event.type === "message.delta") break;
    }
    const params = { threadId: turn.threadId ?? "", excludeTurns: true };
    for (const client of others) await client.request("thread/resume", params);
    world.model.release("gate");
    const { message } = await turn.result;
    expect(message).toContain("yes");
  });
});
