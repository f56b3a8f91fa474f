import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseSync, Visitor } from "oxc-parser";
import { expect, test } from "vitest";
import { importsOf, sourceFiles } from "./source-imports.ts";

const TIMERS = new Set(["setTimeout", "setInterval", "AbortSignal.timeout"]);
const TIMER_MODULE = /^(?:node:)?timers(?:\/promises)?$/;

/** Delays that are computed from constants of their own file, and so bounded by them. */
const BOUNDED: ReadonlyMap<string, string> = new Map([
  ["base/deadline.ts", "the one place that makes a timer of any length"],
  ["broker/descendant-watch.ts", "at most fifty times what one look has taken"],
  ["broker/interrupted-turns.ts", "one of two constants"],
  ["broker/postponed.ts", "at most 1.5 * 2 ** MAX_TIMES * FIRST_PAUSE_MS"],
  ["broker/usage-watch.ts", "one of three pauses, or a multiple of what one look has taken"],
  ["broker/watchdog-thread.ts", "the thread runs on its own, with constants of the watchdog"],
  ["broker/writer-waits.ts", "at most LONGEST_PAUSE_MS"],
  ["lifecycle/retire.ts", "one of two constants"],
]);

/** The timers in a text whose delay is not a constant, by the text of the delay. */
function computedDelays(file: string, text: string): string[] {
  const { program } = parseSync(file, text);
  const found: string[] = [];
  new Visitor({
    CallExpression: (node) => {
      const callee = text.slice(node.callee.start, node.callee.end);
      if (!TIMERS.has(callee.replace(/^globalThis\./, ""))) return;
      const delay = node.arguments[callee.endsWith("timeout") ? 0 : 1];
      const written = delay === undefined ? "" : text.slice(delay.start, delay.end);
      if (!/^(?:[A-Z][A-Z0-9_]*|[\d_]{1,10})$/.test(written)) found.push(`${file}: ${written}`);
    },
  }).visit(program);
  return found;
}

/** Imports that give `setTimeout` another name or another form. */
function timerModules(file: string, text: string): string[] {
  return importsOf(file, text).flatMap(({ specifier = "" }) =>
    TIMER_MODULE.test(specifier) && /\bset(?:Timeout|Interval)\b/.test(text) ? [file] : [],
  );
}

const src = fileURLToPath(new URL("../../src/", import.meta.url));
const files = sourceFiles().filter((file) => !file.startsWith("app-server/generated/"));
const sources = files.map((file) => [file, readFileSync(`${src}${file}`, "utf8")] as const);

test("F112: a timer whose delay is computed is made by `startTimer`, which takes any length", () => {
  expect(files.length).toBeGreaterThan(200);
  const delays = sources
    .filter(([file]) => !BOUNDED.has(file))
    .flatMap(([file, text]) => computedDelays(file, text));
  expect(delays).toEqual([]);
});

test("F112: the timers module of Node is imported for constant delays only", () => {
  const importing = sources.flatMap(([file, text]) => timerModules(file, text));
  // TYPED_AHEAD_MS, which has to be refused when the signal aborts.
  expect(importing).toEqual(["cli/ask/keyboard.ts"]);
});

test("F112: a computed delay is found in each of its forms", () => {
  const text = [
    "setTimeout(f, ms)",
    "setTimeout(f, a.b * 2)",
    "setTimeout(f)",
    "globalThis.setInterval(f, x)",
    "AbortSignal.timeout(timeoutMs)",
    "setTimeout(f, LIMIT_MS)",
    "setTimeout(f, 1_000)",
    "AbortSignal.timeout(LIMIT_MS)",
  ].join(";\n");
  expect(computedDelays("x.ts", text)).toHaveLength(5);
});
