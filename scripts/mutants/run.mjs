// Runs inside of the sandbox that scripts/mutants.mjs makes: node scripts/mutants/run.mjs '{"files":[…],…}'
import { readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { Stryker } from "@stryker-mutator/core";
import { root } from "../constants.mjs";
import { equivalenceOf } from "./equivalent.mjs";

/** @typedef {import("@stryker-mutator/api/core").MutantResult} Mutant */

const { files, sample, seed, project, json } = JSON.parse(process.argv[2] ?? "{}");
process.env["MUTANTS_PROJECT"] = project;
process.env["MUTANTS_SAMPLE"] = sample ?? "";
process.env["MUTANTS_SEED"] = seed;

const stryker = new Stryker({
  mutate: [...files, "!src/app-server/generated/**"],
  testRunner: "vitest",
  plugins: ["@stryker-mutator/vitest-runner", join(root, "scripts/mutants/sample.mjs")],
  checkers: ["sample"],
  vitest: { configFile: "scripts/mutants/vitest.config.ts" },
  // It reads a tsconfig.json with an interface that TypeScript 7 does not have, and does not need it.
  tsconfigFile: "none.json",
  ignorePatterns: ["build", "dist"],
  // This is a copy already.
  inPlace: true,
  tempDirName: "build/stryker",
  coverageAnalysis: "perTest",
  concurrency: 1,
  timeoutMS: 20_000,
  reporters: json ? [] : ["progress-append-only"],
  allowConsoleColors: false,
  // It would put a line before the first one of every file, and take the mode of a program away.
  disableTypeChecks: false,
  thresholds: { high: 100, low: 0, break: null },
});

const results = await stryker.runMutationTest();
const read = new Map();
/** @param {string} file @returns {readonly string[]} */
function linesOf(file) {
  if (!read.has(file)) read.set(file, readFileSync(file, "utf8").split("\n"));
  return read.get(file);
}

/** @param {Mutant} mutant */
function described({ fileName, location, mutatorName, replacement, status }) {
  const { line, column } = location.start;
  const lines = linesOf(fileName);
  return {
    file: relative(root, fileName),
    line,
    column,
    mutator: mutatorName,
    source: lines[line - 1]?.trim() ?? "",
    original: textAt(lines, location),
    replacement: replacement ?? "",
    status,
  };
}

/** @param {readonly string[]} lines @param {Mutant["location"]} location */
function textAt(lines, { start, end }) {
  const text = lines.slice(start.line - 1, end.line);
  if (text.length > 0) text[text.length - 1] = text.at(-1)?.slice(0, end.column - 1) ?? "";
  text[0] = text[0]?.slice(start.column - 1) ?? "";
  return text.join("\n");
}

/** @param {string} text */
function firstLineOf(text) {
  return text.split("\n")[0] ?? "";
}

const left = results
  .filter(({ status }) => status === "Survived" || status === "NoCoverage")
  .map(described);
const equivalent = left.filter((one) => equivalenceOf(one) !== undefined);
const survivors = left.filter((one) => equivalenceOf(one) === undefined);
const count = (/** @type {string[]} */ ...wanted) =>
  results.filter(({ status }) => wanted.includes(status)).length;
const summary = {
  run: count("Killed", "Timeout", "Survived", "RuntimeError"),
  killed: count("Killed", "Timeout", "RuntimeError"),
  equivalent: equivalent.length,
  survived: survivors.filter(({ status }) => status === "Survived").length,
  notRun: survivors.filter(({ status }) => status === "NoCoverage").length,
};

if (json) {
  console.log(JSON.stringify({ summary, survivors }));
} else {
  for (const one of survivors) {
    const what = one.status === "Survived" ? "" : " (no test runs this)";
    console.log(`\n${one.file}:${one.line}:${one.column} ${one.mutator}${what}`);
    console.log(`  - ${firstLineOf(one.original)}\n  + ${firstLineOf(one.replacement)}`);
  }
  console.log(
    `\n${summary.run} mutants run, ${summary.killed} killed; ${summary.survived} survived, ${summary.notRun} stand where no test runs, ${summary.equivalent} are listed as equivalent.`,
  );
}
process.exit(survivors.length === 0 ? 0 : 1);
