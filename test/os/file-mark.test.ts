import { mkdirSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ABSENT, markOf, marksOf } from "../../src/os/file-mark.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeTempDir, type TempDir } from "../support/temp-dir.ts";

guardAgainstLeaks();

let dir: TempDir;
let file: string;

beforeEach(async () => {
  dir = await makeTempDir();
  file = join(dir.path, "file");
  writeFileSync(file, "one");
});
afterEach(async () => {
  vi.useRealTimers();
  await dir.remove();
});

/** So that the next change falls into another instant. */
const setBack = (path: string): void => utimesSync(path, 1, 1);

const later = (): void => void vi.useFakeTimers({ now: Date.now() + 10_000, toFake: ["Date"] });

test("what has just changed has no mark: another change at the same instant would not show", () => {
  expect(markOf(file)).toBeUndefined();
  expect(marksOf([file, join(dir.path, "none")])).toBeUndefined();
});

test.each<[what: string, change: () => void]>([
  ["is written to, as many bytes", () => writeFileSync(file, "two")],
  [
    "is replaced",
    () => {
      writeFileSync(`${file}.tmp`, "one");
      renameSync(`${file}.tmp`, file);
    },
  ],
  ["is removed", () => rmSync(file)],
  [
    "cannot be looked at",
    () => {
      rmSync(file);
      symlinkSync(file, file);
    },
  ],
])("a file that %s has another mark", (_what, change) => {
  later();
  setBack(file);
  const before = markOf(file);
  expect(before).toBeDefined();
  expect(markOf(file)).toBe(before);
  change();
  expect(markOf(file)).not.toBe(before);
});

test("a directory has another mark when something comes to it or goes", () => {
  const directory = join(dir.path, "directory");
  mkdirSync(directory);
  later();
  setBack(directory);
  const before = markOf(directory);
  expect(before).toBeDefined();
  writeFileSync(join(directory, "new"), "");
  expect(markOf(directory)).not.toBe(before);
});

test("what is not there is marked as that", () => {
  expect(markOf(join(dir.path, "none"))).toBe(ABSENT);
});
