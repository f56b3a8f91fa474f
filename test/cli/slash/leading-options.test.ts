import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { leadingOptions } from "../../../src/cli/slash/leading-options.ts";

const known = { background: true, resume: true, base: "REF", model: "MODEL" } as const;

function read(text: string): [Record<string, string>, string] {
  const { options, rest } = leadingOptions(text, known);
  return [Object.fromEntries(options), rest];
}

describe("the options a typed text begins with", () => {
  test("are taken off, and the rest is left as it is", () => {
    expect(read("--background --base main  look  at\n\n the `cache`")).toEqual([
      { background: "", base: "main" },
      "look  at\n\n the `cache`",
    ]);
    expect(read("--base=\"a b\" --model 'x y' z")).toEqual([{ base: "a b", model: "x y" }, "z"]);
  });

  test.each([
    "-m pytest fails, why?",
    "fix it --background",
    "- a list\n- of things",
    "--- a rule",
    "$(rm -rf ~) `id` \"' \\ ; | & > <",
  ])("F94: what a user wants to say is no option: %s", (text) => {
    expect(read(text)).toEqual([{}, text]);
  });

  test("F94: nothing after -- is an option", () => {
    expect(read("--background -- --resume is broken")).toEqual([
      { background: "" },
      "--resume is broken",
    ]);
  });

  test("F94: no text is ever lost or changed", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        const said = text.trim();
        fc.pre(!/^--([^-]|$)/.test(said));
        expect(read(`--background ${said}`)).toEqual([{ background: "" }, said]);
      }),
    );
  });

  test.each([
    "--effort xhigh is it fast?",
    "--effort=xhigh",
    "--effort",
    "--background --effort xhigh",
    "--backgroundish",
    "--Background",
    "--no_color",
    "--9",
    "--toString x",
    "--nocapture hides the output",
  ])("an unknown option is refused with those that there are: %s (F147)", (text) => {
    expect(() => read(text)).toThrow(
      expect.objectContaining({
        kind: "usage",
        message: expect.stringContaining("is no option") as string,
        hint: expect.stringContaining("--background, --resume, --base, --model") as string,
      }),
    );
    expect(read(`-- ${text}`)).toEqual([{}, text]);
  });

  test("a switch with a value is refused (F147)", () => {
    expect(() => read("--background=yes go")).toThrow(/--background takes no value/);
  });

  test("an option without its value is refused", () => {
    for (const text of ["--base", "--base --background", "--base ''"]) {
      expect(() => read(text)).toThrow(/--base needs a value/);
    }
  });
});
