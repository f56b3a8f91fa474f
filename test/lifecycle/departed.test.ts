import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { bury, isHung, isProvenGone, ofAnotherBoot } from "../../src/lifecycle/departed.ts";
import { publishEpoch, readEpoch } from "../../src/lifecycle/epoch-file.ts";
import { ownIdentity } from "../../src/os/process-identity.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeTempDir, type TempDir } from "../support/temp-dir.ts";
import { claimedRecord, endedRecord, servingRecord } from "./records.ts";

guardAgainstLeaks();

const here = ownIdentity();
const gone = { ...here, pid: 2 ** 22 + 1, startTime: "1" };
const ofEarlierBoot = { ...here, bootId: "another" };
const ofOtherHost = { ...here, hostId: "elsewhere", bootId: "another" };

let dir: TempDir;
beforeEach(async () => {
  dir = await makeTempDir();
});
afterEach(async () => {
  await dir.remove();
});

describe.skipIf(here.bootId === null)("what is proven gone", () => {
  test("an identity of another boot of this host, and none of another host (F95)", () => {
    expect(ofAnotherBoot(here)).toBe(false);
    expect(ofAnotherBoot(ofEarlierBoot)).toBe(true);
    expect(ofAnotherBoot(ofOtherHost)).toBe(false);
    expect(ofAnotherBoot({ ...here, bootId: null })).toBe(false);
  });

  test("a claim only when it is of another boot: of one of this boot a broker may come (F95)", () => {
    expect(isProvenGone(claimedRecord({ claimant: gone }))).toBe(false);
    expect(isProvenGone(claimedRecord({ claimant: ofEarlierBoot }))).toBe(true);
    expect(isProvenGone(claimedRecord({ claimant: ofOtherHost }))).toBe(false);
    expect(isProvenGone(servingRecord({ broker: gone }))).toBe(true);
    expect(isProvenGone(servingRecord())).toBe(false);
    expect(isProvenGone(servingRecord({ broker: ofOtherHost }))).toBe(false);
    expect(isProvenGone(endedRecord())).toBe(true);
  });

  test("nothing else gets an obituary (F95)", () => {
    const kept = [
      claimedRecord({ claimant: ofOtherHost }),
      claimedRecord({ claimant: gone }),
      servingRecord({ broker: ofOtherHost }),
      servingRecord(),
      endedRecord(),
    ];
    for (const record of kept) {
      publishEpoch(dir.path, record);
      expect(bury(dir.path, claimedRecord(), "no reason", [])).toBe(false);
      expect(readEpoch(dir.path, 7)).toMatchObject({ record });
    }
    const buried = [
      claimedRecord({ claimant: ofEarlierBoot }),
      servingRecord({ broker: gone, endpoint: "/nowhere/key.7.fedcba.sock" }),
    ];
    for (const record of buried) {
      publishEpoch(dir.path, record);
      const other = { ...record, token: "another".repeat(8) };
      expect(bury(dir.path, other, "of another", [])).toBe(false);
      expect(bury(dir.path, record, "it is gone", [])).toBe(true);
      expect(readEpoch(dir.path, 7)).toMatchObject({
        record: { state: "ended", abnormal: true, reason: "it is gone" },
      });
    }
  });
});

test("a broker hangs after 30 s in which its process was idle, or 300 s in any case (F124)", () => {
  const after = (forMs: number, idleMs: number): boolean => isHung({ forMs, idleMs } as never);
  expect(after(29_999, 29_999)).toBe(false);
  expect(after(30_000, 30_000)).toBe(true);
  expect(after(299_999, 29_999)).toBe(false);
  expect(after(300_000, 0)).toBe(true);
});
