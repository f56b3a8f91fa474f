import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { publishEpoch, type ServingRecord } from "../../src/lifecycle/epoch-file.ts";
import { clearLeftOvers } from "../../src/lifecycle/left-overs.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeTempDir, type TempDir } from "../support/temp-dir.ts";
import { claimedRecord, endedRecord, servingRecord } from "./records.ts";

guardAgainstLeaks();

const KEY = "0123456789ab";
const HEX = "0123456789ab";

let dir: TempDir;
let scopeDir: string;
let runDir: string;
let current: ServingRecord;

beforeEach(async () => {
  dir = await makeTempDir();
  scopeDir = join(dir.path, "scope");
  runDir = join(dir.path, "run");
  for (const each of [scopeDir, runDir]) mkdirSync(each);
  current = servingRecord({ epoch: 9, endpoint: join(runDir, `${KEY}.9.aaaaaa.sock`) });
  publishEpoch(scopeDir, current);
  publishEpoch(scopeDir, endedRecord({ epoch: 5 }));
  publishEpoch(scopeDir, claimedRecord({ epoch: 6 }));
  publishEpoch(scopeDir, servingRecord({ epoch: 7 }));
  writeFileSync(join(scopeDir, "8.json"), "{");
});
afterEach(() => dir.remove());

const put = (directory: string, ...names: string[]): void => {
  for (const name of names) writeFileSync(join(directory, name), "");
};

describe("what killed processes have left", () => {
  test("goes, of an epoch that has ended or never got further than its claim", () => {
    put(scopeDir, `5.json.${HEX}.tmp`, `6.json.${HEX}.tmp`);
    put(runDir, `${KEY}.5.bbbbbb.sock`, `${KEY}.6.cccccc.sock`);
    symlinkSync(join(runDir, `${KEY}.5.bbbbbb.sock`), join(runDir, `${KEY}.current.${HEX}.tmp`));
    clearLeftOvers(scopeDir, current);
    expect(readdirSync(scopeDir).toSorted()).toEqual([
      "5.json",
      "6.json",
      "7.json",
      "8.json",
      "9.json",
    ]);
    expect(readdirSync(runDir)).toEqual([]);
  });

  test("F24: stays, of the current epoch, of one that may still serve, of a later one, and of anybody else", () => {
    const kept = [
      `${KEY}.9.aaaaaa.sock`,
      `${KEY}.7.bbbbbb.sock`,
      `${KEY}.8.bbbbbb.sock`,
      `${KEY}.10.bbbbbb.sock`,
      `${KEY}.4.bbbbbb.sock`,
      `ffffffffffff.5.bbbbbb.sock`,
      `${KEY}.5.sock`,
      `${KEY}.odd`,
    ];
    put(runDir, ...kept);
    const links = [`${KEY}.current`, `${KEY}.current.${HEX}.tmp`];
    for (const name of links) symlinkSync(current.endpoint, join(runDir, name));
    const files = ["7", "8", "9", "10", "4"].map((epoch) => `${epoch}.json.${HEX}.tmp`);
    put(scopeDir, ...files, "5.json.tmp", "5.log", `x.json.${HEX}.tmp`);
    const before = readdirSync(scopeDir).toSorted();
    clearLeftOvers(scopeDir, current);
    expect(readdirSync(runDir).toSorted()).toEqual([...kept, ...links].toSorted());
    expect(readdirSync(scopeDir).toSorted()).toEqual(before);
  });

  test("goes, of an epoch whose number has more than one digit", () => {
    const newer = { ...current, epoch: 20 };
    publishEpoch(scopeDir, endedRecord({ epoch: 12 }));
    put(scopeDir, `12.json.${HEX}.tmp`);
    put(runDir, `${KEY}.12.bbbbbb.sock`);
    clearLeftOvers(scopeDir, newer);
    expect(readdirSync(scopeDir)).not.toContain(`12.json.${HEX}.tmp`);
    expect(readdirSync(runDir)).toEqual([]);
  });

  test("F24: stays, of the current epoch and of a later one, whatever their records say", () => {
    publishEpoch(scopeDir, endedRecord({ epoch: 9 }));
    publishEpoch(scopeDir, endedRecord({ epoch: 10 }));
    const sockets = [`${KEY}.10.bbbbbb.sock`, `${KEY}.9.bbbbbb.sock`];
    put(runDir, ...sockets);
    put(scopeDir, `10.json.${HEX}.tmp`, `9.json.${HEX}.tmp`);
    const before = readdirSync(scopeDir).toSorted();
    clearLeftOvers(scopeDir, current);
    expect(readdirSync(runDir).toSorted()).toEqual(sockets.toSorted());
    expect(readdirSync(scopeDir).toSorted()).toEqual(before);
  });

  test("F24: stays, where a name only contains one of a broker's", () => {
    const sockets = [`${KEY}.x.5.5.bbbbbb.sock`, `${KEY}.5.bbbbbb.sock.bak`];
    put(runDir, ...sockets);
    put(scopeDir, `x5.json.${HEX}.tmp`);
    clearLeftOvers(scopeDir, current);
    expect(readdirSync(runDir).toSorted()).toEqual(sockets.toSorted());
    expect(readdirSync(scopeDir)).toContain(`x5.json.${HEX}.tmp`);
  });

  test("is nothing where there are no directories", () => {
    const endpoint = "\\\\.\\pipe\\codex-broker-0";
    const onWindows = { ...current, endpoint, current: null };
    expect(() => clearLeftOvers(join(dir.path, "none"), onWindows)).not.toThrow();
  });
});
