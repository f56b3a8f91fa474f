import { expect, test } from "vitest";
import { manPageOf } from "../../scripts/man-page.ts";
import { EXIT } from "../../src/base/errors.ts";
import { commands } from "../../src/cli/commands.ts";
import type { CommandSpec } from "../../src/cli/line/option-spec.ts";

const page = manPageOf("1.2.3");
const specs: readonly CommandSpec[] = commands;

test("the manual page has every command, option, example and exit code", () => {
  const plain = page.replaceAll("\\-", "-").replaceAll("\\(dq", '"').replaceAll("\\e", "\\");
  for (const { name, options, examples } of specs) {
    expect(plain).toContain(`.SS codex-broker ${name}`);
    for (const option of Object.keys(options)) expect(plain).toContain(`--${option}`);
    for (const { line } of examples) expect(plain).toContain(`.B ${line}\n`);
  }
  for (const code of Object.values(EXIT)) expect(plain).toContain(`.B ${code}\n`);
  expect(page).toContain('"codex-broker 1.2.3"');
});

test("nothing in a text is taken for a request to the formatter", () => {
  const requests = page
    .split("\n")
    .flatMap((line) => /^[.'](\S*)/.exec(line)?.[1] ?? [])
    .filter((request) => !["TH", "SH", "SS", "TP", "PP", "B", "I", "br"].includes(request));
  expect(requests).toEqual([]);
  // oxlint-disable-next-line no-control-regex -- What is not ASCII may not be shown.
  expect(page).toMatch(/^[\x0a\x20-\x7e]*$/);
});
