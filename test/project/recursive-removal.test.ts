import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

test("F24 F93: nothing in the sources removes a directory with what is in it", () => {
  const files = execFileSync("git", ["ls-files", "src/*.ts"], { encoding: "utf8" })
    .split("\n")
    .filter((file) => file !== "" && !file.includes("/generated/"));
  expect(files.length).toBeGreaterThan(100);
  // A bare `rmdirSync(dir)` removes an empty directory or none.
  const removal = /\b(?:rm|rmSync)\(|\brmdir(?:Sync)?\((?!\w+\);)|["'`]rm\b|\brm -r/;
  const removals = files.flatMap((file) =>
    readFileSync(file, "utf8")
      .split("\n")
      .filter((line) => removal.test(line))
      .map((line) => `${file}: ${line.trim()}`),
  );
  expect(removals).toEqual([]);
});
