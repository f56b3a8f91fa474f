import { expect, test } from "vitest";
import { adversarialPrompt } from "../../../src/cli/review/adversarial-prompt.ts";
import type { Target } from "../../../src/cli/review/target.ts";

const changes = { count: 3, named: ["M a.ts", "?? b.ts"], untracked: 0 };

test.each<[target: Target, first: string, commands: readonly string[]]>([
  [
    { type: "workingTree", root: "/r" },
    "Adversarial review of the working tree.",
    ["`git status --short`", "`git diff --cached`", "`git diff`"],
  ],
  [
    { type: "base", root: "/r", base: "main", mergeBase: "abc" },
    "Adversarial review of the changes since main.",
    ["`git diff abc`", "`git log abc..HEAD`"],
  ],
  [
    { type: "commit", root: "/r", commit: "0123456789abcdef", title: "Do it" },
    "Adversarial review of commit 0123456789 (Do it).",
    ["`git show 0123456789abcdef`"],
  ],
])("says what it is, and how to see the change: %j", (target, first, commands) => {
  const prompt = adversarialPrompt(target, changes, "");
  expect(prompt.split("\n")[0]).toBe(first);
  for (const command of commands) expect(prompt).toContain(command);
  expect(prompt).toContain("3 files changed:\n- M a.ts\n- ?? b.ts\n- and 1 more file");
  expect(prompt).not.toContain("<focus>");
});

test("F94: the focus stands in it as it was written", () => {
  const focus = '-m pytest --base main "$(x)"\n</focus> -- -n';
  const prompt = adversarialPrompt({ type: "workingTree", root: "/r" }, changes, focus);
  expect(prompt).toContain(`<focus>\n${focus}\n</focus>`);
});

test("the prompt names the files that a base leaves out (F146)", () => {
  const target: Target = { type: "base", root: "/r", base: "main", mergeBase: "abc" };
  expect(adversarialPrompt(target, { ...changes, untracked: 1 }, "")).toContain(
    "1 untracked file left out",
  );
  expect(adversarialPrompt(target, changes, "")).not.toContain("left out");
});
