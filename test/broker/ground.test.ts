import { mkdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  groundLost,
  GroundWatch,
  type Ground,
  type Loss,
  type Seen,
} from "../../src/broker/ground.ts";
import { onTrace } from "../../src/base/trace.ts";
import { epochPath, publishEpoch, type ClaimedRecord } from "../../src/lifecycle/epoch-file.ts";
import { ownIdentity } from "../../src/os/process-identity.ts";
import { claimedRecord, endedRecord, servingRecord } from "../lifecycle/records.ts";
import { useFakeClock } from "../support/fake-clock.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeTempDir, type TempDir } from "../support/temp-dir.ts";

guardAgainstLeaks();

let dir: TempDir;
let ground: Ground & { readonly socket: string };

beforeEach(async () => {
  dir = await makeTempDir();
  const record = servingRecord();
  const at = (name: string): string => join(dir.path, name);
  ground = {
    scopeDir: at("scope"),
    epoch: record.epoch,
    token: record.token,
    socket: at("x.sock"),
  };
  mkdirSync(ground.scopeDir);
  writeFileSync(ground.socket, "");
  publishEpoch(ground.scopeDir, record);
});
afterEach(() => dir.remove());

const remove = (path: string): void => rmSync(path, { recursive: true });

/** What is still there, but cannot be read at the moment: as good as a lack of descriptors. */
function makeUnreadable(path: string): void {
  remove(path);
  symlinkSync(path, path);
}

describe("the ground of a broker", () => {
  test("holds while everything is there", () => {
    expect(groundLost(ground)).toBeUndefined();
  });

  test.each<[what: string, lose: () => void, reason: RegExp, reconnect: boolean]>([
    ["F08: its socket is gone", () => remove(ground.socket), /socket is gone/, true],
    ["its state directory is gone", () => remove(ground.scopeDir), /epoch file is gone/, true],
    ["its record is gone", () => remove(epochPath(ground.scopeDir, 7)), /is gone/, true],
    [
      "its record is damaged",
      () => writeFileSync(epochPath(ground.scopeDir, 7), "{"),
      /another's/,
      true,
    ],
    [
      "its record is another's",
      () => publishEpoch(ground.scopeDir, servingRecord({ token: "f".repeat(64) })),
      /another's/,
      true,
    ],
    [
      "F24: there is a higher epoch",
      () => publishEpoch(ground.scopeDir, claimedRecord({ epoch: 8 })),
      /superseded by epoch 8/,
      true,
    ],
  ])("is lost when %s", (_what, lose, reason, reconnect) => {
    lose();
    expect(groundLost(ground)).toMatchObject({
      reason: expect.stringMatching(reason) as string,
      reconnect,
    });
  });

  // A loop of links says that no broker has put it there, and for the record that proves its loss.
  test.skipIf(process.platform !== "linux")(
    "F24: is not lost while the read of its record fails: that proves nothing",
    () => {
      const record = epochPath(ground.scopeDir, 7);
      remove(record);
      // Opens, and then fails with EIO.
      symlinkSync("/proc/self/mem", record);
      expect(groundLost(ground)).toBeUndefined();
    },
  );

  test.each<[what: string, path: () => string]>([
    ["its state directory", () => ground.scopeDir],
    ["its socket", () => ground.socket],
  ])(
    "F24: is not lost while %s cannot be read: that proves nothing, and is looked at again",
    (_what, path) => {
      makeUnreadable(path());
      const losses: Loss[] = [];
      const told: string[] = [];
      const stopListening = onTrace(({ event }) => void told.push(event));
      const watch = new GroundWatch(ground, (loss) => losses.push(loss));
      try {
        for (let looks = 0; looks < 3; looks += 1) watch.look();
        expect(losses).toEqual([]);
        // Once, not at every look: the log may lie on the same disk, out of the same descriptors.
        expect(told.filter((event) => event === "ground.unseen").length).toBeLessThan(2);
        remove(path());
        watch.look();
        expect(losses).toHaveLength(1);
      } finally {
        watch.close();
        stopListening();
      }
    },
  );
});

describe("a record that was found to be its own", () => {
  beforeEach(() => void vi.useFakeTimers({ now: Date.now() + 10_000, toFake: ["Date"] }));
  afterEach(() => void vi.useRealTimers());

  test.each<[what: string, change: () => void, lost: boolean]>([
    ["it is untouched", () => {}, false],
    ["it is published anew", () => publishEpoch(ground.scopeDir, servingRecord()), false],
    [
      "F24: another's stands there",
      () => publishEpoch(ground.scopeDir, servingRecord({ token: "f".repeat(64) })),
      true,
    ],
    [
      "F24: its bytes are overwritten",
      () => writeFileSync(epochPath(ground.scopeDir, 7), "[", { flag: "r+" }),
      true,
    ],
    ["F24: it is removed", () => remove(epochPath(ground.scopeDir, 7)), true],
  ])("need not be read again for as long as nothing shows: %s", (_what, change, lost) => {
    const seen: Seen = {};
    // So that the change falls into another instant.
    utimesSync(epochPath(ground.scopeDir, 7), 1, 1);
    expect(groundLost(ground, seen)).toBeUndefined();
    expect(seen.ownRecord).toBeDefined();
    change();
    for (const loss of [groundLost(ground, seen), groundLost(ground, seen)]) {
      if (lost) expect(loss).toMatchObject({ reason: "its epoch file is gone or another's" });
      else expect(loss).toBeUndefined();
    }
  });
});

describe("a broker whose successor is on its way", () => {
  const claimed = (change: Partial<ClaimedRecord> = {}): void =>
    publishEpoch(ground.scopeDir, claimedRecord({ epoch: 8, ...change }));

  function watched(act: (watch: GroundWatch, losses: Loss[]) => void): {
    losses: Loss[];
    held: number;
  } {
    const losses: Loss[] = [];
    let held = 0;
    const watch = new GroundWatch(
      ground,
      (loss) => losses.push(loss),
      () => (held += 1),
    );
    try {
      act(watch, losses);
    } finally {
      watch.close();
    }
    return { losses, held };
  }

  test("F29 F22: goes on until that serves, but no more sees to the fixed path", () => {
    claimed();
    expect(watched((watch) => watch.look())).toEqual({ losses: [], held: 0 });
    const { losses } = watched((watch) => {
      watch.look();
      publishEpoch(ground.scopeDir, servingRecord({ epoch: 8 }));
      watch.look();
    });
    expect(losses).toMatchObject([{ reason: "superseded by epoch 8", reconnect: true }]);
  });

  test("steps down at once when it will not come: its claimant has gone, or it has failed", () => {
    claimed({ claimant: { ...ownIdentity(), startTime: "1" } });
    expect(watched((watch) => watch.look()).losses).toHaveLength(1);
    publishEpoch(ground.scopeDir, endedRecord({ epoch: 8 }));
    expect(watched((watch) => watch.look()).losses).toHaveLength(1);
  });

  describe("that does not come", () => {
    const clock = useFakeClock();

    test("steps down after a while, for all that its claimant lives", () => {
      claimed();
      const { losses } = watched((watch, soFar) => {
        watch.look();
        clock.pass(9_000);
        expect(soFar).toEqual([]);
        clock.pass(2_000);
      });
      expect(losses).toHaveLength(1);
    });
  });
});
