import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { quick } from "../../src/cli/quick-commands.ts";
import { CLI } from "./program.ts";

/** The files that are loaded before the first line of this one runs. */
function loadedWith(file: string, seen = new Set<string>()): Set<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  const text = readFileSync(file, "utf8");
  for (const [, from, bare] of text.matchAll(
    /^(?:import|export)\b[^;]*?(?:from\s*"(\.[^"]+)"|import\s*"(\.[^"]+)");/gm,
  )) {
    loadedWith(join(dirname(file), (from ?? bare)!), seen);
  }
  return seen;
}

function has(files: ReadonlySet<string>, text: string): boolean {
  return [...files].some((file) => readFileSync(file, "utf8").includes(text));
}

const COMMANDER = "commander.unknownOption";

const WHOLE = join(dirname(CLI), "whole.js");

test("the program that is linked tells which one is meant, and has nothing else in it", () => {
  expect([...loadedWith(CLI)]).toEqual([CLI]);
  expect(statSync(CLI).size).toBeLessThan(4_096);
});

test.each(Object.keys(quick))(
  "%s is one file, without the parser that can talk and the daemon's parts",
  (name) => {
    const file = join(dirname(CLI), "quick", `${name}.cjs`);
    const files = loadedWith(file);
    expect([...files]).toEqual([file]);
    expect(has(files, `src/cli/commands/${name}.ts`)).toBe(true);
    expect(has(files, COMMANDER)).toBe(false);
    expect(has(files, 'from "node:child_process"')).toBe(false);
    expect(has(files, 'getBuiltinModule("node:child_process")')).toBe(false);
  },
);

test("every program of a quick command is started by its name", () => {
  const programs = readdirSync(join(dirname(CLI), "quick"));
  expect(programs.toSorted()).toEqual(
    Object.keys(quick)
      .map((name) => `${name}.cjs`)
      .toSorted(),
  );
  const linked = readFileSync(CLI, "utf8");
  for (const name of Object.keys(quick)) expect(linked).toContain(`"${name}"`);
});

test("so are the library and the daemon", () => {
  for (const name of ["index.js", "broker.cjs"]) {
    expect(loadedWith(join(dirname(CLI), name)).size).toBe(1);
  }
});

test("a program that has the library and does not use it yet pays for no part of Node that it needs then", () => {
  const library = pathToFileURL(join(dirname(CLI), "index.js")).href;
  const before = new Set(partsOfNode(""));
  const added = partsOfNode(`import ${JSON.stringify(library)};`).filter((id) => !before.has(id));
  expect(added).toContain("NativeModule os");
  for (const name of ["net", "crypto", "stream", "perf_hooks", "child_process"]) {
    expect(added).not.toContain(`NativeModule ${name}`);
  }
});

/** What Node has loaded of itself when such a module has been evaluated. */
function partsOfNode(module: string): string[] {
  const text = `${module} console.log(process.moduleLoadList.join("\\n"));`;
  return execFileSync(process.execPath, ["--input-type=module", "--eval", text], {
    encoding: "utf8",
  }).split("\n");
}

test("the start of everything else loads neither that parser nor any command", () => {
  const files = loadedWith(WHOLE);
  expect(files.size).toBeGreaterThan(1);
  expect(has(files, COMMANDER)).toBe(false);
  expect(has(files, "node:net")).toBe(false);
});

test.each(["run", "review", "transfer", "setup", "stop", "logs", "proxy", "serve"])(
  "%s loads neither that parser nor the daemon's parts",
  (name) => {
    const chunks = join(dirname(CLI), "chunks");
    const own = readdirSync(chunks).filter((file) =>
      new RegExp(`^${name}-[A-Z0-9]{8}\\.js$`).test(file),
    );
    expect(own).toHaveLength(1);
    const files = loadedWith(join(chunks, own[0]!));
    expect(files.size).toBeGreaterThan(3);
    expect(has(files, COMMANDER)).toBe(false);
    expect(has(files, "pino")).toBe(false);
  },
);

test("the form of a review lies beside the program", () => {
  const form = readFileSync(join(dirname(CLI), "review.schema.json"), "utf8");
  expect(form).toBe(readFileSync("src/cli/review/review.schema.json", "utf8"));
});

test("a hook loads nothing that talks to anybody before it has to", () => {
  const chunks = join(dirname(CLI), "chunks");
  const own = readdirSync(chunks).filter((file) => /^hook-[A-Z0-9]{8}\.js$/.test(file));
  expect(own).toHaveLength(1);
  const files = loadedWith(join(chunks, own[0]!));
  expect(files.size).toBeGreaterThan(3);
  expect(has(files, "node:net")).toBe(false);
  expect(has(files, COMMANDER)).toBe(false);
});

test("that parser is there, in a file of its own", () => {
  const chunks = join(dirname(CLI), "chunks");
  const files = readdirSync(chunks).map((file) => join(chunks, file));
  expect(files.filter((file) => has(new Set([file]), COMMANDER))).toHaveLength(1);
});
