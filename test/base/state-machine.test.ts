import { expect, test } from "vitest";
import { StateMachine } from "../../src/base/state-machine.ts";

const MOVES = { closed: ["open"], open: ["closed", "broken"], broken: [] } as const;
type State = keyof typeof MOVES;

test("moves as the table says, and tells so after the move", () => {
  const door = new StateMachine<State>("closed", MOVES);
  const heard: string[] = [];
  const undo = door.onMove((to, from) => heard.push(`${from} ${to} ${door.state}`));
  door.to("open");
  door.to("closed");
  undo();
  door.to("open");
  expect(heard).toEqual(["closed open open", "open closed closed"]);
});

test("refuses every move that the table does not have, and stays where it was", () => {
  const states = Object.keys(MOVES) as State[];
  for (const from of states) {
    for (const to of states) {
      const door = new StateMachine<State>(from, MOVES);
      const legal = (MOVES[from] as readonly State[]).includes(to);
      expect(door.can(to)).toBe(legal);
      if (legal) continue;
      expect(() => door.to(to)).toThrow(`illegal move from ${from} to ${to}`);
      expect(door.is(from)).toBe(true);
    }
  }
});
