import { expect, test } from "vitest";
import { LAST_LINE, typedText } from "../../../src/cli/slash/typed-text.ts";

test("what was typed is what stands before the last line", () => {
  expect(typedText(`\n${LAST_LINE}\n`)).toBe("");
  expect(typedText(`${LAST_LINE}\n`)).toBe("");
  expect(typedText(`one\r\n\r\n two \r\n${LAST_LINE}\r\n`)).toBe("one\n\n two");
  expect(typedText(`says ${LAST_LINE} itself\n${LAST_LINE}`)).toBe(`says ${LAST_LINE} itself`);
});

test("F94: a text that was cut on its way is refused, and not taken for a shorter one", () => {
  for (const cut of ["", "fix this:\n", `fix this: ${LAST_LINE}`]) {
    expect(() => typedText(cut)).toThrow(/did not arrive whole/);
  }
});
