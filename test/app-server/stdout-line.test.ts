import { expect, test } from "vitest";
import { objectOnLine } from "../../src/app-server/stdout-line.ts";

function read(line: string): string | undefined {
  return objectOnLine(Buffer.from(line))?.toString("utf8");
}

test("F48: what is no object is noise", () => {
  const noise = [
    "",
    "\r",
    "\u001B[?2004h",
    "Welcome to the dev shell!",
    "[1,2]",
    '"{"',
    "null",
    "  ",
  ];
  for (const line of noise) expect(read(line)).toBeUndefined();
  expect(objectOnLine(Buffer.from([0xa6, 0xa8, 0xa5, 0x5c]))).toBeUndefined();
});

test("F48: an object between control sequences is freed of them", () => {
  const wrapped = ['\u001B[?2004h{"id":1}', '{"id":1}\u001B[0m', '\uFEFF{"id":1}', '  {"id":1} \r'];
  for (const line of wrapped) expect(read(line)).toBe('{"id":1}');
});

test("an object is passed on as it came, without a copy", () => {
  const line = Buffer.from('{"text":"\u2028 \u001B[31m é","n":9007199254740993}');
  expect(objectOnLine(line)).toBe(line);
  expect(read('{"id":1}\r')).toBe('{"id":1}\r');
});

test("a broken object is no noise: its reader must see it", () => {
  expect(read('{"id":1,')).toBe('{"id":1,');
});
