import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { InterruptedTurns } from "../../src/broker/interrupted-turns.ts";
import { Turns } from "../../src/broker/turns.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function watched(): {
  readonly interrupted: InterruptedTurns<object>;
  readonly turns: Turns<object>;
  readonly happened: string[];
} {
  const happened: string[] = [];
  const interrupted = new InterruptedTurns<object>({
    again: (turn) => {
      happened.push(`again ${turn.threadId}`);
      // As the router does: it is one more interrupt.
      interrupted.interrupted(turn);
    },
    onStuck: ({ threadId }) => void happened.push(`stuck ${threadId}`),
  });
  return { interrupted, turns: new Turns<object>(), happened };
}

test("F64: a turn that goes on is interrupted once more, then it is stuck, once", () => {
  const { interrupted, turns, happened } = watched();
  interrupted.interrupted(turns.begin("t", undefined));
  vi.advanceTimersByTime(9_999);
  expect(happened).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(happened).toEqual(["again t"]);
  vi.advanceTimersByTime(60_000);
  expect(happened).toEqual(["again t", "stuck t"]);
});

test("F64: one that ends is followed no further, whatever others do", () => {
  const { interrupted, turns, happened } = watched();
  const [one, other] = [turns.begin("one", undefined), turns.begin("other", undefined)];
  interrupted.interrupted(one);
  interrupted.interrupted(other);
  interrupted.interrupted(one);
  vi.advanceTimersByTime(5_000);
  interrupted.ended(one);
  vi.advanceTimersByTime(60_000);
  expect(happened).toEqual(["again other", "stuck other"]);
  interrupted.interrupted(turns.begin("third", undefined));
  interrupted.clear();
  vi.advanceTimersByTime(60_000);
  expect(happened).toHaveLength(2);
});
