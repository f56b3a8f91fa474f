import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

/** What a suite starts is ended before its call returns, or is the guard's own subject. */
const WITHOUT_GUARD = new Set([
  "test/app-server/generated.codex.test.ts",
  "test/cli/bundle.test.ts",
  "test/project/lint-reasons.test.ts",
  "test/project/recursive-removal.test.ts",
  "test/project/suites.test.ts",
  "test/support/leak-watch.test.ts",
]);

const STARTS_SOMETHING =
  /from "(?:node:child_process|[^"]*\/(?:world|fake-codex|node-process|program|pty|scripted-model)\.ts)"/;

test("F20: every suite that starts a process, a model or a broker fails when something outlives it", () => {
  const files = execFileSync("git", ["ls-files", "-co", "--exclude-standard", "test/*.test.ts"], {
    encoding: "utf8",
  })
    .split("\n")
    .filter((file) => file !== "");
  const starting = files.filter((file) => STARTS_SOMETHING.test(readFileSync(file, "utf8")));
  expect(starting.length).toBeGreaterThan(30);
  const unguarded = starting.filter(
    (file) =>
      !WITHOUT_GUARD.has(file) && !readFileSync(file, "utf8").includes("guardAgainstLeaks();"),
  );
  expect(unguarded).toEqual([]);
});
