import { describe, expect, test } from "vitest";
import type { ProcessEntry } from "../../src/os/kernel/kernel.ts";
import { ownIdentity, type ProcessIdentity } from "../../src/os/process-identity.ts";
import {
  familyOf,
  familyOfIdentities,
  listProcesses,
  orphansOf,
  readProcess,
  stillRuns,
} from "../../src/os/process-tree.ts";

function entry(pid: number, ppid: number, session: number): ProcessEntry {
  return { pid, ppid, session, startTime: String(pid), ended: false };
}

function pids(family: readonly ProcessEntry[]): number[] {
  return family.map(({ pid }) => pid);
}

describe("a family", () => {
  const root = entry(100, 50, 50);
  const neighbours = [entry(1, 0, 1), entry(50, 1, 50), entry(60, 50, 50), entry(61, 60, 61)];

  test("is everything below the root, each before its parent", () => {
    const all = [
      ...neighbours,
      root,
      entry(110, 100, 50),
      entry(111, 110, 111),
      entry(112, 111, 111),
    ];
    expect(pids(familyOf([root], new Set([50]), all))).toEqual([112, 111, 110, 100]);
  });

  test("F18: keeps an orphan whose session began below the root", () => {
    const all = [
      ...neighbours,
      root,
      entry(110, 100, 110),
      entry(111, 1, 110),
      entry(112, 111, 112),
    ];
    const family = pids(familyOf([root], new Set([50]), all));
    expect(new Set(family)).toEqual(new Set([100, 110, 111, 112]));
  });

  test("F16: has no member that only shares a session from above the root, or none that can be named", () => {
    const all = [...neighbours, root, entry(70, 1, 50)];
    expect(pids(familyOf([root], new Set([50]), all))).toEqual([100]);
    const unnamed = entry(100, 50, 0);
    expect(pids(familyOf([unnamed], new Set(), [unnamed, entry(2, 0, 0), entry(3, 1, 0)]))).toEqual(
      [100],
    );
  });

  test("ends where the table is a circle", () => {
    const all = [entry(1, 2, 1), entry(2, 1, 1)];
    expect(pids(familyOf([entry(1, 2, 1)], new Set([1]), all))).toEqual([2, 1]);
  });
});

describe("the family of identities", () => {
  const identity = (pid: number): ProcessIdentity => ({
    ...ownIdentity(),
    pid,
    startTime: String(pid),
  });
  const all = [
    entry(50, 1, 50),
    entry(100, 50, 50),
    entry(110, 100, 110),
    entry(111, 1, 110),
    entry(70, 50, 50),
  ];

  test.skipIf(ownIdentity().startTime === null)(
    "F119: is what they name and what is below, also in sessions that they lead",
    () => {
      expect(familyOfIdentities([identity(110)], all)).toEqual(new Set([110, 111]));
      expect(familyOfIdentities([identity(100)], all)).toEqual(new Set([100, 110, 111]));
      expect(familyOfIdentities([], all)).toEqual(new Set());
    },
  );

  test("F119: has nobody whose pid now names another process, or that is elsewhere", () => {
    const recycled = { ...identity(110), startTime: "1" };
    const elsewhere = { ...identity(110), hostId: "another" };
    const otherNamespace = { ...identity(110), pidNamespace: "pid:[1]" };
    expect(familyOfIdentities([recycled, elsewhere, otherNamespace], all)).toEqual(new Set());
  });
});

describe("the orphans of a session", () => {
  const leader = entry(50, 1, 50);

  test("are its members without a parent in it", () => {
    const all = [leader, entry(51, 50, 50), entry(52, 51, 50), entry(53, 1, 50), entry(54, 1, 54)];
    expect(pids(orphansOf(leader, all))).toEqual([53]);
  });

  test("F16: are nobody's when the session belongs to somebody else", () => {
    const member = entry(51, 50, 50);
    expect(orphansOf(member, [leader, member, entry(53, 1, 50)])).toEqual([]);
  });
});

describe.skipIf(ownIdentity().startTime === null)("on this machine", () => {
  test("this process is listed and still runs", () => {
    const self = listProcesses()?.find(({ pid }) => pid === process.pid);
    expect(self).toMatchObject({ ppid: process.ppid });
    expect(self !== undefined && stillRuns(self)).toBe(true);
  });

  test("F16: a process with the same pid and another start time is another one", () => {
    const self = readProcess(process.pid);
    expect(self !== undefined && stillRuns({ ...self, startTime: "1" })).toBe(false);
  });
});
