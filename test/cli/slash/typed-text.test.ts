import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { Deadline } from "../../../src/base/deadline.ts";
import { LAST_LINE, readTypedText, typedText } from "../../../src/cli/slash/typed-text.ts";

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

test("F100: it is read up to its last line, whether or not the stream ends there", async () => {
  const stdin = new PassThrough();
  const reading = readTypedText(stdin, Deadline.never());
  for (const piece of ["fix ", "it\n(end of what", " was typed)\n"]) stdin.write(piece);
  expect(await reading).toBe("fix it");
});

test("F100: a stream that stays open without it is given up in time", async () => {
  const stdin = new PassThrough();
  stdin.write("fix it\n");
  await expect(readTypedText(stdin, Deadline.after(50))).rejects.toThrow(/did not arrive whole/);
});
