import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { guardAgainstLeaks } from "../../support/leak-guard.ts";
import { CLI } from "../program.ts";

guardAgainstLeaks();

test.each([
  ["an option with a wrong value", ["stop", "--within", "abc"], "--within takes a number"],
  ["an option without its value", ["stop", "--within"], "--within"],
  ["an empty value", ["stop", "--within="], "--within was given an empty value"],
  ["an unknown option", ["stop", "--wihtin", "5"], "--wihtin"],
  ["no event", [], "event"],
  ["an unknown event", ["nonsense"], "nonsense"],
  ["too many words", ["stop", "now"], "hook"],
])("a hook with %s ends with 0 and a message (F183)", (_what, args, words) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, "hook", ...args], {
    encoding: "utf8",
    input: "{}",
  });
  expect({ status, stdout }).toEqual({ status: 0, stdout: "" });
  expect(stderr).toContain(words);
});
