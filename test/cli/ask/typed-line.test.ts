import { expect, test } from "vitest";
import { TypedLine } from "../../../src/cli/ask/typed-line.ts";

function type(...keys: readonly string[]): { text: string; outcome: unknown } {
  const line = new TypedLine();
  const outcome = keys.map((key) => line.take(key)).at(-1);
  return { text: line.text, outcome };
}

test("a line is what was typed and not taken back", () => {
  expect(type("a", "é", "\u007f", "👍", "x", "\b").text).toBe("a👍");
  expect(type("a", "b", "\u0015", "c").text).toBe("c");
  expect(type("\u007f").text).toBe("");
});

test("other control keys write nothing", () => {
  expect(type("a", "\t", "\u0001", "\u001b[A", "\u0004").text).toBe("a");
});

test("Enter gives it, Esc gives it up, and nothing else ends it", () => {
  expect(type("a", "b").outcome).toBeUndefined();
  expect(type("a", "\r").outcome).toEqual({ line: "a" });
  expect(type("a", "\n").outcome).toEqual({ line: "a" });
  expect(type("a", "\u001b").outcome).toEqual({ line: undefined });
});
