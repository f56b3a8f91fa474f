import { describe, expect, test } from "vitest";
import { Given } from "../../../src/cli/line/given.ts";

function given(value: string): Given<{ a: { value: "N"; help: "" } }> {
  return new Given("stop", { options: { a: value }, operands: [] });
}

describe("the value of an option", () => {
  test.each([
    ["0", 0],
    ["0.5", 500],
    [".5", 500],
    ["30", 30_000],
  ])("%s seconds", (text, ms) => {
    expect(given(text).seconds("a")).toBe(ms);
  });

  test.each(["", "x", "-1", "1e3", "0x10", "Infinity", "NaN", "1 "])(
    "%j is no number of seconds",
    (text) => {
      expect(() => given(text).seconds("a")).toThrow(
        expect.objectContaining({
          kind: "usage",
          hint: "See `codex-broker stop --help`.",
        }) as Error,
      );
    },
  );

  test.each(["0", "1.5", "-1", "01"])("%s is no count", (text) => {
    expect(() => given(text).count("a")).toThrow("--a takes a whole number from 1 on");
  });

  test("a choice", () => {
    expect(given("x").choice("a", ["x", "y"])).toBe("x");
    expect(() => given("z").choice("a", ["x", "y"])).toThrow('--a takes x or y, not "z".');
  });

  test("an option that was not given has none", () => {
    const none = new Given<{ a: { value: "N"; help: "" } }>("stop", { options: {}, operands: [] });
    expect([none.has("a"), none.text("a"), none.seconds("a"), none.count("a")]).toEqual([
      false,
      undefined,
      undefined,
      undefined,
    ]);
  });
});
