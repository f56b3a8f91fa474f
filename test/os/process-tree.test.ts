import { describe, expect, test } from "vitest";
import { readStat, type ProcStat } from "../../src/os/proc-stat.ts";
import { familyOf, listProcesses, orphansOf, stillRuns } from "../../src/os/process-tree.ts";

function stat(pid: number, ppid: number, session: number): ProcStat {
  return { pid, comm: "x", state: "S", ppid, pgid: pid, session, startTicks: String(pid) };
}

function pids(family: readonly ProcStat[]): number[] {
  return family.map(({ pid }) => pid);
}

describe("a family", () => {
  const root = stat(100, 50, 50);
  const neighbours = [stat(1, 0, 1), stat(50, 1, 50), stat(60, 50, 50), stat(61, 60, 61)];

  test("is everything below the root, each before its parent", () => {
    const all = [...neighbours, root, stat(110, 100, 50), stat(111, 110, 111), stat(112, 111, 111)];
    expect(pids(familyOf([root], new Set([50]), all))).toEqual([112, 111, 110, 100]);
  });

  test("F18: keeps an orphan whose session began below the root", () => {
    const all = [...neighbours, root, stat(110, 100, 110), stat(111, 1, 110), stat(112, 111, 112)];
    const family = pids(familyOf([root], new Set([50]), all));
    expect(new Set(family)).toEqual(new Set([100, 110, 111, 112]));
  });

  test("F16: has no member that only shares a session from above the root, or none that can be named", () => {
    const all = [...neighbours, root, stat(70, 1, 50)];
    expect(pids(familyOf([root], new Set([50]), all))).toEqual([100]);
    const unnamed = stat(100, 50, 0);
    expect(pids(familyOf([unnamed], new Set(), [unnamed, stat(2, 0, 0), stat(3, 1, 0)]))).toEqual([
      100,
    ]);
  });

  test("ends where the table is a circle", () => {
    const all = [stat(1, 2, 1), stat(2, 1, 1)];
    expect(pids(familyOf([stat(1, 2, 1)], new Set([1]), all))).toEqual([2, 1]);
  });
});

describe("the orphans of a session", () => {
  const leader = stat(50, 1, 50);

  test("are its members without a parent in it", () => {
    const all = [leader, stat(51, 50, 50), stat(52, 51, 50), stat(53, 1, 50), stat(54, 1, 54)];
    expect(pids(orphansOf(leader, all))).toEqual([53]);
  });

  test("F16: are nobody's when the session belongs to somebody else", () => {
    const member = stat(51, 50, 50);
    expect(orphansOf(member, [leader, member, stat(53, 1, 50)])).toEqual([]);
  });
});

describe.skipIf(process.platform !== "linux")("on this machine", () => {
  test("this process is listed and still runs", () => {
    const self = listProcesses()?.find(({ pid }) => pid === process.pid);
    expect(self).toMatchObject({ ppid: process.ppid });
    expect(self !== undefined && stillRuns(self)).toBe(true);
  });

  test("F16: a process with the same pid and another start time is another one", () => {
    const self = readStat(process.pid);
    expect(self !== undefined && stillRuns({ ...self, startTicks: "1" })).toBe(false);
  });
});
