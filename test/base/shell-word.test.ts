import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { shellQuoted, shellWord } from "../../src/base/shell-word.ts";

guardAgainstLeaks();

const VALUES = [
  "/plain/path-1.sock",
  '/with space/it\'s $(touch x) `id` "q" \\ *',
  "~/not expanded",
  "=cmd",
  "/two  spaces",
  "/line\nbreak\ttab\u001b[2J",
  "/zero\u200bwidth ümlaut 'é",
  "",
];

function words(command: string): string {
  return execFileSync("bash", ["-c", `printf '<%s>' ${command}`], { encoding: "utf8" });
}

describe("a value in a line for the shell", () => {
  test.each(VALUES)("%j is one word, with the same text (F184)", (value) => {
    expect(words(shellQuoted(value))).toBe(`<${value}>`);
    expect(words(shellWord(value))).toBe(`<${value}>`);
  });

  test("a word has no character that a terminal would not show as it is (F184)", () => {
    for (const value of VALUES) expect(shellWord(value)).toMatch(/^[^\p{Cc}\p{Cf}]*$/u);
    expect(shellWord("/plain/path-1.sock")).toBe("/plain/path-1.sock");
  });
});
