import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

test("whoever switches a lint rule or a type error off says why", () => {
  const listed = execFileSync("git", ["ls-files", "-co", "--exclude-standard", "*.ts", "*.mjs"], {
    encoding: "utf8",
  });
  const files = listed.split("\n").filter((file) => file !== "" && !file.includes("/generated/"));
  expect(files.length).toBeGreaterThan(20);
  const switches = /(?:ox|es)lint-disable|@ts-(?:expect-error|ignore|nocheck)/;
  const bare = files.flatMap((file) =>
    readFileSync(file, "utf8")
      .split("\n")
      .flatMap((line, index) => {
        const comment = /(?:\/\/|\/\*)\s*((?:ox|es)lint-disable|@ts-).*/.exec(line)?.[0];
        const wanting = comment !== undefined && switches.test(comment) && !/ -- \S/.test(comment);
        return wanting ? [`${file}:${index + 1}`] : [];
      }),
  );
  expect(bare).toEqual([]);
});
