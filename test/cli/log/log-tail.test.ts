import { appendFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { LogTail } from "../../../src/cli/log/log-tail.ts";
import { makeTempDir } from "../../support/temp-dir.ts";

test("a growing file is read line by line, whatever it was cut into", async () => {
  await using dir = await makeTempDir();
  const file = join(dir.path, "log");
  const tail = new LogTail(file);
  expect(tail.read()).toEqual([]);
  const euro = Buffer.from("b€\n");
  writeFileSync(file, "a\n");
  expect(tail.read()).toEqual(["a"]);
  appendFileSync(file, euro.subarray(0, 2));
  expect(tail.read()).toEqual([]);
  appendFileSync(file, euro.subarray(2));
  expect(tail.read()).toEqual(["b€"]);
  appendFileSync(file, "last words");
  expect([tail.read(), tail.end(), tail.end()]).toEqual([[], ["last words"], []]);
});

test("a file that is cut short is read from its beginning", async () => {
  await using dir = await makeTempDir();
  const file = join(dir.path, "log");
  const tail = new LogTail(file);
  writeFileSync(file, "one\ntwo\nthr");
  expect(tail.read()).toEqual(["one", "two"]);
  truncateSync(file, 0);
  appendFileSync(file, "new\n");
  expect(tail.read()).toEqual(["new"]);
});

test("lines longer than what is read at once stay whole", async () => {
  await using dir = await makeTempDir();
  const file = join(dir.path, "log");
  const long = "x€".repeat(100_000);
  writeFileSync(file, `${long}\nshort\n`);
  expect(new LogTail(file).read()).toEqual([long, "short"]);
});
