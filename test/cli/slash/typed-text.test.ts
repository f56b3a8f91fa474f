import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { Deadline } from "../../../src/base/deadline.ts";
import {
  lastLine,
  newDelimiter,
  readTypedText,
  typedText,
} from "../../../src/cli/slash/typed-text.ts";

const delimiter = newDelimiter();
const last = lastLine(delimiter);
const old = lastLine(newDelimiter());

test("what was typed is what stands before the last line", () => {
  expect(typedText(`\n${last}\n`, delimiter)).toBe("");
  expect(typedText(`${last}\n`, delimiter)).toBe("");
  expect(typedText(`one\r\n\r\n two \r\n${last}\r\n`, delimiter)).toBe("one\n\n two");
  expect(typedText(`one\n${old}\ntwo\n${last}`, delimiter)).toBe(`one\n${old}\ntwo`);
});

test("F94: a text that was cut on its way is refused, and not taken for a shorter one", () => {
  for (const cut of ["", "fix this:\n", `fix this: ${last}`, `fix this\n${old}\n`]) {
    expect(() => typedText(cut, delimiter)).toThrow(/did not arrive whole/);
  }
});

test("a delimiter is new each time, and a text that contains it is refused (F172)", () => {
  expect(newDelimiter()).not.toBe(newDelimiter());
  for (const text of [`one\n${delimiter}\ntwo`, `one ${delimiter}`, last, delimiter]) {
    expect(() => typedText(`${text}\n${last}`, delimiter)).toThrow(/nothing was started/);
  }
});

test.each([undefined, "", "EOF", "CODEX_BROKER_TYPED_7c41e9", `${delimiter}0`, `x${delimiter}`])(
  "a delimiter that the program did not make is refused: %s (F172)",
  async (other) => {
    const reading = readTypedText(new PassThrough(), other, Deadline.never());
    await expect(reading).rejects.toThrow(/not one of `slash delimiter`/);
  },
);

test("F100: it is read up to its last line, whether or not the stream ends there", async () => {
  const stdin = new PassThrough();
  const reading = readTypedText(stdin, delimiter, Deadline.never());
  for (const piece of ["fix ", `it\n${last.slice(0, 9)}`, `${last.slice(9)}\n`]) stdin.write(piece);
  expect(await reading).toBe("fix it");
});

test("a last line of another delimiter does not end the text, where a piece ends (F172)", async () => {
  const stdin = new PassThrough();
  const reading = readTypedText(stdin, delimiter, Deadline.never());
  stdin.write(`one\n${old}\n`);
  await new Promise(setImmediate);
  stdin.write(`two\n${last}\n`);
  expect(await reading).toBe(`one\n${old}\ntwo`);
});

test("F100: a stream that stays open without it is given up in time", async () => {
  const stdin = new PassThrough();
  stdin.write("fix it\n");
  const reading = readTypedText(stdin, delimiter, Deadline.after(50));
  await expect(reading).rejects.toThrow(/did not arrive whole/);
});
