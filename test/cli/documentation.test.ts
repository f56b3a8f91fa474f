import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { EXIT } from "../../src/base/errors.ts";
import { commands } from "../../src/cli/commands.ts";
import type { CommandSpec } from "../../src/cli/line/option-spec.ts";
import { readPlainly } from "../../src/cli/line/read-plainly.ts";

const text = readFileSync("docs/cli.md", "utf8");
const specs: readonly CommandSpec[] = commands;

test("docs/cli.md names every command, option and exit code, and no other option", () => {
  const options = new Set(specs.flatMap((spec) => Object.keys(spec.options)));
  for (const { name } of specs) expect(text).toContain(`| \`${name}`);
  for (const option of options) expect(text).toMatch(new RegExp(`\`[^\`]*--${option}\\b`));
  for (const code of Object.values(EXIT)) expect(text).toMatch(new RegExp(`^\\| ${code} \\|`, "m"));
  const named = [...text.matchAll(/--([a-z][a-z-]*)/g)].map(([, name]) => name ?? "");
  expect(named.filter((name) => !options.has(name) && !["help", "version"].includes(name))).toEqual(
    [],
  );
});

test("every example of a command can be read", () => {
  for (const spec of specs) {
    for (const { line } of spec.examples) {
      const words = /codex-broker (.*?)(?: \| (?:jq|source).*|\)"?)?$/.exec(line)?.[1] ?? "";
      const [name, ...args] = [...words.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(
        ([, double, single, bare]) => double ?? single ?? bare ?? "",
      );
      expect(name).toBe(spec.name);
      expect({ line, args: readPlainly(spec, args) }).toHaveProperty("args.operands");
    }
  }
});
