import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { importTable, lintOverrides, objectionTo } from "./import-table.ts";
import { importsOf, importsOfFile, sourceFiles } from "./source-imports.ts";

/** The objection to the one import of a text, as if that were a file of `src`. */
function objectionToText(file: string, text: string): string | undefined {
  const [only, ...more] = importsOf(file, text);
  if (only === undefined || more.length > 0) throw new Error("one import is wanted");
  return objectionTo(only);
}

describe("the imports of src", () => {
  const files = sourceFiles();

  test("are read from a plausible number of files", () => {
    expect(files.length).toBeGreaterThan(20);
    expect(files.flatMap(importsOfFile).length).toBeGreaterThan(20);
  });

  test("keep to the table", () => {
    const objections = files.flatMap(importsOfFile).flatMap((one) => {
      const objection = objectionTo(one);
      return objection === undefined ? [] : [`${one.from} → ${one.specifier ?? "?"}: ${objection}`];
    });
    expect(objections).toEqual([]);
  });

  test("of every folder have a row", () => {
    const rows = new Set(importTable.map(({ from }) => from));
    const unknown = files.filter((file) => !rows.has(file.split("/")[0] ?? ""));
    expect(unknown).toEqual([]);
  });
});

describe("the table", () => {
  test.each([
    ["client/turn.ts", 'import { a } from "../broker/a.ts";'],
    ["client/turn.ts", 'import type { A } from "../broker/a.ts";'],
    ["client/turn.ts", 'type A = import("../broker/a.ts").A;'],
    ["client/turn.ts", 'await import("../broker/a.ts");'],
    ["client/turn.ts", "await import(`../wire/${name}.ts`);"],
    ["client/turn.ts", 'export * from "../cli/a.ts";'],
    ["client/turn.ts", 'import { type A } from "../app-server/generated/v2.ts";'],
    ["client/turn.ts", 'import type { A } from "../app-server/generated/methods.ts";'],
    ["broker/a.ts", 'import { ensure } from "../lifecycle/ensure.ts";'],
    ["lifecycle/scope.ts", 'import { a } from "../app-server/child.ts";'],
    ["wire/connection.ts", 'import { connect } from "node:net";'],
    ["wire/connection.ts", 'import { spawn } from "child_process";'],
    ["base/errors.ts", 'import { readFile } from "node:fs/promises";'],
    ["os/lines.ts", 'import readline from "node:readline/promises";'],
    ["cli/main.ts", 'import "../../test/support/x.ts";'],
    ["new-folder/a.ts", 'import "../base/errors.ts";'],
  ])("refuses in %s: %s", (file, text) => {
    expect(objectionToText(file, text)).toBeDefined();
  });

  test.each([
    ["client/turn.ts", 'import { a } from "../wire/connection.ts";'],
    ["client/turn.ts", 'import type { A } from "../app-server/generated/v2.ts";'],
    ["index.ts", 'export type * from "./app-server/generated/index.ts";'],
    ["broker/a.ts", 'import { Scope } from "../lifecycle/scope.ts";'],
    ["cli/commands/run.ts", 'await import("../../client/turn.ts");'],
    ["os/endpoint.ts", 'import { connect } from "node:net";'],
  ])("allows in %s: %s", (file, text) => {
    expect(objectionToText(file, text)).toBeUndefined();
  });

  test("is the one that the linter uses", () => {
    const config = JSON.parse(readFileSync(".oxlintrc.json", "utf8")) as {
      overrides: { rules: Record<string, unknown> }[];
    };
    const overrides = config.overrides.filter(({ rules }) => "no-restricted-imports" in rules);
    expect(overrides).toEqual(JSON.parse(JSON.stringify(lintOverrides())));
  });
});
