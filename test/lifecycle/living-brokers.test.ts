import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { epochPath, publishEpoch } from "../../src/lifecycle/epoch-file.ts";
import { LivingRecords } from "../../src/lifecycle/living-brokers.ts";
import { ownIdentity } from "../../src/os/process-identity.ts";
import { bytesRead, CAN_COUNT_BYTES } from "../support/bytes-read.ts";
import { makeTempDir } from "../support/temp-dir.ts";
import { claimedRecord, endedRecord, servingRecord } from "./records.ts";

const gone = { ...ownIdentity(), startTime: "1" };
const alive = ownIdentity();

test.skipIf(alive.startTime === null)(
  "F119: the records of all scopes say which brokers live; what has ended is read once",
  async () => {
    await using dir = await makeTempDir();
    const scope = (name: string): string => {
      const path = join(dir.path, name);
      mkdirSync(path);
      return path;
    };
    const [own, other, third, damaged] = ["own", "other", "third", "damaged"].map(scope);
    publishEpoch(own!, servingRecord({ epoch: 1, instance: "own", broker: alive }));
    publishEpoch(other!, endedRecord({ epoch: 1 }));
    const appServer = { ...alive };
    publishEpoch(other!, servingRecord({ epoch: 2, instance: "a", broker: alive, appServer }));
    publishEpoch(other!, servingRecord({ epoch: 3, instance: "b", broker: gone, appServer }));
    publishEpoch(third!, claimedRecord({ epoch: 4, claimant: alive }));
    publishEpoch(third!, claimedRecord({ epoch: 5, claimant: gone }));
    writeFileSync(epochPath(damaged!, 1), "garbage");

    const records = new LivingRecords(own!, "own");
    const living = await records.find();
    expect(living.processes).toHaveLength(3);
    expect(living.instances).toEqual(new Set(["a"]));
    if (!CAN_COUNT_BYTES) return;
    publishEpoch(other!, endedRecord({ epoch: 2, reason: "x".repeat(100_000) }));
    await records.find();
    const before = bytesRead();
    expect((await records.find()).instances).toEqual(new Set());
    expect(bytesRead() - before).toBeLessThan(50_000);
  },
);
