import { mkdirSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { epochPath, publishEpoch, readEpoch } from "../../src/lifecycle/epoch-file.ts";
import { forgottenSince } from "../../src/lifecycle/sign-of-life.ts";
import { writeOff } from "../../src/lifecycle/write-off.ts";
import { ownIdentity, type ProcessIdentity } from "../../src/os/process-identity.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeTempDir, type TempDir } from "../support/temp-dir.ts";
import { servingRecord } from "./records.ts";

guardAgainstLeaks();

const HOUR_MS = 3_600_000;
const NOW = Date.now();
const elsewhere: ProcessIdentity = {
  ...ownIdentity(),
  hostId: "of-another-host",
  bootId: "of-another-boot",
};

let dir: TempDir;
let scopeDir: string;
beforeEach(async () => {
  dir = await makeTempDir();
  scopeDir = join(dir.path, "scope");
  mkdirSync(scopeDir);
});
afterEach(() => dir.remove());

function at(hoursAgo: number): Date {
  return new Date(NOW - hoursAgo * HOUR_MS);
}

/** A record that was touched so long ago. */
function publish(hoursAgo: number, broker = elsewhere): ReturnType<typeof servingRecord> {
  const record = servingRecord({ broker, startedAt: at(100).toISOString() });
  publishEpoch(scopeDir, record);
  utimesSync(epochPath(scopeDir, record.epoch), at(hoursAgo), at(hoursAgo));
  return record;
}

test("a broker that cannot be verified is forgotten a day after its last sign of life (F127)", () => {
  expect(forgottenSince(scopeDir, publish(23))).toBeUndefined();
  const forgotten = forgottenSince(scopeDir, publish(25));
  const lastSign = Date.parse(forgotten?.lastSignAt ?? "");
  expect(Math.abs(lastSign - at(25).getTime())).toBeLessThan(1_000);
  expect(forgotten?.reason).toContain("another host or container");
  // Clocks may differ.
  expect(forgottenSince(scopeDir, publish(-48))).toBeUndefined();
});

test("one that can be verified is never forgotten (F127)", () => {
  expect(forgottenSince(scopeDir, publish(1000, ownIdentity()))).toBeUndefined();
});

test("only a forgotten one is written off, and only with the token that was seen (F127)", () => {
  for (const record of [publish(23), publish(1000, ownIdentity())]) {
    expect(writeOff(scopeDir, record)).toBe(false);
  }
  const record = publish(25);
  expect(writeOff(scopeDir, { ...record, token: "0".repeat(64) })).toBe(false);
  expect(writeOff(scopeDir, record)).toBe(true);
  expect(readEpoch(scopeDir, record.epoch)).toMatchObject({
    record: { state: "ended", abnormal: false },
  });
  expect(writeOff(scopeDir, record)).toBe(false);
});
