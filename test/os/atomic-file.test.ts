import { once } from "node:events";
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Deadline } from "../../src/base/deadline.ts";
import { BrokerError } from "../../src/base/errors.ts";
import {
  publishNew,
  publishOver,
  removeIfThere,
  renameWithRetry,
  UNFINISHED,
} from "../../src/os/atomic-file.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeTempDir, type TempDir } from "../support/temp-dir.ts";
import { CAN_MOUNT, mountTinyDisk } from "../support/tiny-disk.ts";

guardAgainstLeaks();

let dir: TempDir;
let path: string;
beforeEach(async () => {
  dir = await makeTempDir();
  path = join(dir.path, "1.json");
});
afterEach(() => dir.remove());

function failureOf(act: () => unknown): BrokerError {
  try {
    act();
  } catch (error) {
    if (BrokerError.is(error)) return error;
    throw error;
  }
  throw new Error("it went well");
}

describe("a file under a new name", () => {
  test("F01: is published once, whole, for this user alone, and leaves nothing beside it", () => {
    expect(publishNew(path, "first")).toBe(true);
    expect(publishNew(path, "second")).toBe(false);
    expect(readFileSync(path, "utf8")).toBe("first");
    expect(readdirSync(dir.path)).toEqual(["1.json"]);
    if (process.platform !== "win32") expect(lstatSync(path).mode & 0o777).toBe(0o600);
  });

  test("is not published over anything else that bears the name", () => {
    mkdirSync(path);
    expect(publishNew(path, "text")).toBe(false);
    expect(lstatSync(path).isDirectory()).toBe(true);
  });

  test("in a directory that is gone is an error with its path", () => {
    const gone = join(dir.path, "gone", "1.json");
    expect(failureOf(() => publishNew(gone, ""))).toMatchObject({
      kind: "stateDirUnusable",
      details: { path: gone, errno: "ENOENT" },
    });
  });
});

/** Reads the file over and over, until it is told to stop. Tells how many texts it saw, or what went wrong. */
const READER = `
  const { parentPort, workerData } = require("node:worker_threads");
  const { readFileSync } = require("node:fs");
  const { path, shared } = workerData;
  const seen = new Set();
  try {
    do {
      seen.add(JSON.parse(readFileSync(path, "utf8")).n);
      Atomics.store(shared, 1, seen.size);
      // Windows replaces no file that somebody has open: a reader there has to look away now and then, as ours do.
      if (process.platform === "win32") Atomics.wait(shared, 0, 0, 5);
    } while (Atomics.load(shared, 0) === 0);
    parentPort.postMessage("read well");
  } catch (error) {
    Atomics.store(shared, 1, -1);
    parentPort.postMessage(String(error));
  }`;

describe("a file that is replaced", () => {
  test("F55: is seen by a reader as the old one or the new one, never missing, empty or half", async () => {
    const textOf = (n: number): string => JSON.stringify({ n, pad: "x".repeat(20_000) });
    publishOver(path, textOf(0));
    const shared = new Int32Array(new SharedArrayBuffer(8));
    const reader = new Worker(READER, { eval: true, workerData: { path, shared } });
    const report = once(reader, "message");
    const deadline = Deadline.after(10_000);
    for (let n = 1; Atomics.load(shared, 1) < 100 && Atomics.load(shared, 1) >= 0; n += 1) {
      publishOver(path, textOf(n));
      if (deadline.expired) break;
    }
    Atomics.store(shared, 0, 1);
    expect(await report).toEqual(["read well"]);
    expect(Atomics.load(shared, 1)).toBeGreaterThan(50);
    expect(readdirSync(dir.path)).toEqual(["1.json"]);
    await reader.terminate();
  });

  test("may be a link, which is replaced and not followed", () => {
    const other = join(dir.path, "other");
    writeFileSync(other, "another's");
    symlinkSync(other, path);
    publishOver(path, "ours");
    expect(readFileSync(other, "utf8")).toBe("another's");
    expect(lstatSync(path).isFile()).toBe(true);
  });

  test("cannot be a directory, and nothing is left beside it then", () => {
    mkdirSync(path);
    expect(failureOf(() => publishOver(path, "text"))).toMatchObject({
      kind: "stateDirUnusable",
      details: { path },
    });
    expect(readdirSync(dir.path)).toEqual(["1.json"]);
  });
});

describe.each([
  ["new", (to: string) => void publishNew(to, "x".repeat(20_000))],
  ["replaced", (to: string) => publishOver(to, "x".repeat(20_000))],
])("a %s file", (_what, publish) => {
  test.skipIf(!CAN_MOUNT)(
    "F56: on a full disk is an error, with nothing half and nothing left over",
    () => {
      using disk = mountTinyDisk(4096);
      const full = join(disk.path, "1.json");
      const error = failureOf(() => publish(full));
      expect(error).toMatchObject({
        kind: "stateDirUnusable",
        details: { path: full, errno: "ENOSPC" },
      });
      expect(error.message).toContain(full);
      expect(readdirSync(disk.path)).toEqual([]);
    },
  );

  test.skipIf(!CAN_MOUNT)("on a disk that is closed to writers is an error", () => {
    using disk = mountTinyDisk(65_536);
    disk.makeReadOnly();
    expect(failureOf(() => publish(join(disk.path, "1.json")))).toMatchObject({
      kind: "stateDirUnusable",
      details: { errno: "EROFS" },
    });
  });
});

test("a writer that was killed leaves a file that is known by its name", () => {
  expect(UNFINISHED.test("1.json.0123456789ab.tmp")).toBe(true);
  for (const name of ["1.json", "1.json.tmp", "1.log", "0123456789ab.tmp.log"]) {
    expect(UNFINISHED.test(name)).toBe(false);
  }
});

test("removing tells whether there was something, and takes no directory", () => {
  writeFileSync(path, "");
  expect([removeIfThere(path), removeIfThere(path)]).toEqual([true, false]);
  mkdirSync(path);
  expect(() => removeIfThere(path)).toThrow(/EISDIR|EPERM/);
});

test("a rename that cannot succeed fails at once", () => {
  expect(() => renameWithRetry(join(dir.path, "none"), path)).toThrow("ENOENT");
});
