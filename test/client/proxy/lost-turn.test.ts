import { describe, expect, test } from "vitest";
import type { v2 } from "../../../src/app-server/generated/index.ts";
import { endOfLostTurn } from "../../../src/client/proxy/lost-turn.ts";

function turn(id: string, status: v2.TurnStatus): v2.Turn {
  const { turn: shape } = endOfLostTurn("t", id, "", []);
  return { ...shape, status, error: null };
}

describe("the end of a turn whose app-server has gone", () => {
  test("is Codex's own where it had ended in time", () => {
    const history = [turn("b", "completed"), turn("a", "completed")];
    expect(endOfLostTurn("t", "a", "killed", history)).toEqual({ threadId: "t", turn: history[1] });
  });

  test("carries the reason where it was cut", () => {
    const end = endOfLostTurn("t", "a", "killed", [turn("a", "interrupted")]);
    expect(end.turn).toMatchObject({ id: "a", status: "interrupted" });
    expect(end.turn.error?.message).toContain("killed");
  });

  test("is a failure where history knows nothing of it, or not that it ended", () => {
    for (const history of [[], [turn("b", "completed")], [turn("a", "inProgress")]]) {
      const end = endOfLostTurn("t", "a", "killed", history);
      expect(end.turn).toMatchObject({ id: "a", status: "failed", items: [] });
      expect(end.turn.error?.message).toContain("killed");
    }
  });
});
