import { describe, expect, test } from "vitest";
import { enter, enterOwnJob, mayLeave } from "../../src/os/own-job.ts";

/* The limits are written out: they are Windows' own numbers. */
const KILL = 0x2000;
const BREAKAWAY = 0x800;
const SILENT = 0x1000;

describe("whether a broker has to be started outside of its starter's job", () => {
  const cases: ReadonlyArray<readonly [string, number | undefined, boolean]> = [
    ["no job", undefined, false],
    ["a job that ends nobody", 0, false],
    ["a job that ends nobody and lets go", BREAKAWAY, false],
    ["a job that ends all and lets nobody go", KILL, false],
    ["a job that ends all and lets go who asks", KILL | BREAKAWAY, true],
    ["Node's own job, which lets everybody go unasked", KILL | BREAKAWAY | SILENT, false],
    ["with other limits beside", KILL | BREAKAWAY | 0x400, true],
  ];
  test.each(cases)("%s", (_what, limits, expected) => {
    expect(mayLeave(limits)).toBe(expected);
  });
});

describe("a broker's own job", () => {
  test("S4 F18: ends all who are in it with the broker, and lets go who asks", () => {
    const entered: number[] = [];
    const ties = enter({
      limitsOfOwnJob: () => undefined,
      enterNewJob: (limits) => entered.push(limits) > 0,
    });
    expect(ties).toEqual({ endsWithHost: false, holdsTree: true });
    expect(entered).toEqual([KILL | BREAKAWAY]);
  });

  test("does not hide that a host has the broker in one that ends it", () => {
    let limits: number | undefined = KILL;
    const ties = enter({
      limitsOfOwnJob: () => limits,
      enterNewJob(mine) {
        limits = mine;
        return true;
      },
    });
    expect(ties).toEqual({ endsWithHost: true, holdsTree: true });
  });

  test("may be refused, and is then missing", () => {
    const calls = { limitsOfOwnJob: () => KILL, enterNewJob: () => false };
    expect(enter(calls)).toEqual({ endsWithHost: true, holdsTree: false });
  });

  test.skipIf(process.platform === "win32")("is a thing of Windows", () => {
    expect(enterOwnJob()).toEqual({ endsWithHost: false, holdsTree: false });
  });
});
