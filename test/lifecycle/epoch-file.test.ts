import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { build, stop } from "esbuild";
import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { BrokerError } from "../../src/base/errors.ts";
import {
  claimEpoch,
  decodeEpoch,
  epochLogPath,
  epochPath,
  forgetEpoch,
  hasLostEpoch,
  holdsEpoch,
  LAST_EPOCH,
  listEpochs,
  moveLastEpochAside,
  newestEpoch,
  publishEpoch,
  readEpoch,
  type EpochRecord,
} from "../../src/lifecycle/epoch-file.ts";
import { ownIdentity } from "../../src/os/process-identity.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeTempDir, type TempDir } from "../support/temp-dir.ts";
import { claimedRecord, endedRecord, servingRecord } from "./records.ts";

guardAgainstLeaks();

let dir: TempDir;
beforeEach(async () => {
  dir = await makeTempDir();
});
afterEach(() => dir.remove());

const startFailure = new BrokerError("appServerStartFailed", "No.", { details: { a: [1] } });
const RECORDS: Record<string, EpochRecord> = {
  claimed: claimedRecord(),
  serving: servingRecord(),
  "serving, by a system that knows less of its processes": servingRecord({
    broker: { ...ownIdentity(), startTime: null, bootId: null, pidNamespace: null },
    appServer: ownIdentity(),
    current: null,
  }),
  "ended before it served": endedRecord({ error: startFailure.toJSON(), exit: null }),
  "ended after it served": { ...servingRecord(), ...endedRecord({ abnormal: true }) },
};

describe.each(Object.entries(RECORDS))("a record that is %s", (_what, record) => {
  test("is read as it was published", () => {
    publishEpoch(dir.path, record);
    expect(readEpoch(dir.path, 7)).toEqual({ state: "read", epoch: 7, record });
    expect(holdsEpoch(dir.path, 7, record.token)).toBe(true);
    expect(holdsEpoch(dir.path, 7, `${record.token}0`)).toBe(false);
  });

  test("F56: is unreadable, with the place, when anything that it needs is missing or of another kind", () => {
    const fields = Object.keys(record).filter((name) => !OPTIONAL.has(`${record.state} ${name}`));
    for (const name of fields) {
      for (const wrong of [undefined, {}, 1.5, [""]]) {
        const reading = decodeEpoch(7, JSON.stringify({ ...record, [name]: wrong }));
        expect([name, reading.state]).toEqual([name, "unreadable"]);
      }
    }
  });
});

/** An obituary has what its broker had got to. */
const OPTIONAL = new Set(
  Object.keys(servingRecord())
    .filter((name) => !(name in claimedRecord()))
    .map((name) => `ended ${name}`),
);

describe("an epoch file with anything in it (F56)", () => {
  test("is read or unreadable with a reason, and never an error", () => {
    const bytes = fc.uint8Array().map((each) => Buffer.from(each).toString("utf8"));
    const nearly = fc
      .tuple(fc.constantFrom(...Object.values(RECORDS)), fc.nat(), fc.nat(), fc.string())
      .map(([record, from, length, put]) => {
        const text = JSON.stringify(record);
        const start = from % text.length;
        return text.slice(0, start) + put + text.slice(start + (length % 20));
      });
    fc.assert(
      fc.property(fc.oneof(bytes, fc.json(), nearly), (text) => {
        const reading = decodeEpoch(7, text);
        if (reading.state === "unreadable") expect(reading.why.length).toBeGreaterThan(0);
        else expect(reading.record.epoch).toBe(7);
      }),
      { numRuns: 1_000 },
    );
  });

  test.each<[what: string, text: string, why: RegExp]>([
    ["nothing", "", /empty/],
    ["half a record", JSON.stringify(claimedRecord()).slice(0, -5), /not JSON/],
    ["a scalar", "7", /Object/],
    ["the record of another epoch", JSON.stringify(claimedRecord({ epoch: 8 })), /epoch 8/],
    ["a state that there is not", JSON.stringify({ ...claimedRecord(), state: "x" }), /state/],
    ["a token that is too short", JSON.stringify(claimedRecord({ token: "x" })), /token/],
    [
      "a pid that could be a group's",
      JSON.stringify(claimedRecord({ claimant: { ...ownIdentity(), pid: -1 } })),
      /claimant\.pid/,
    ],
    ["nesting without end", "[".repeat(100_000), /not JSON/],
  ])("%s says so", (_what, text, why) => {
    const reading = decodeEpoch(7, text);
    expect(reading).toMatchObject({ state: "unreadable", epoch: 7 });
    expect((reading as { why: string }).why).toMatch(why);
  });

  test("S3: a record without the time of its start is unreadable, and so is superseded", () => {
    const { startedAt: _none, ...old } = servingRecord();
    expect(decodeEpoch(7, JSON.stringify(old))).toMatchObject({
      state: "unreadable",
      why: expect.stringContaining("startedAt") as string,
    });
  });

  test("members that nobody knows yet are passed over", () => {
    const text = JSON.stringify({ ...servingRecord(), later: { a: 1 } });
    expect(decodeEpoch(7, text).state).toBe("read");
  });

  test("a directory in its place is unreadable, and is the newest all the same", () => {
    mkdirSync(epochPath(dir.path, 9));
    publishEpoch(dir.path, claimedRecord());
    expect(newestEpoch(dir.path)).toMatchObject({ state: "unreadable", epoch: 9 });
  });
});

describe("the epochs of a directory", () => {
  test("are its epoch files, the newest first, and nothing else that is there", () => {
    const others = ["0.json", "01.json", "1.json.0123456789ab.tmp", "7.log", "-1.json", "x.json"];
    for (const name of [...others, "2.json", "10.json", "9.json", `${"9".repeat(16)}.json`]) {
      writeFileSync(join(dir.path, name), "");
    }
    expect(listEpochs(dir.path)).toEqual([10, 9, 2]);
  });

  test("are none where there is no directory, and an error where there is something else", () => {
    expect(listEpochs(join(dir.path, "none"))).toEqual([]);
    expect(newestEpoch(join(dir.path, "none"))).toBeUndefined();
    writeFileSync(join(dir.path, "file"), "");
    expect(() => listEpochs(join(dir.path, "file"))).toThrow(BrokerError);
  });
});

describe("a claim", () => {
  test("is of the next epoch, carries a secret of its own, and is for this user alone", () => {
    const first = claimEpoch(dir.path, 0);
    const second = claimEpoch(dir.path, 1);
    expect([first?.epoch, second?.epoch]).toEqual([1, 2]);
    expect(first?.token).toMatch(/^[0-9a-f]{64}$/);
    expect(second?.token).not.toBe(first?.token);
    expect(first).toMatchObject({ state: "claimed", claimant: ownIdentity() });
    expect(readEpoch(dir.path, 1)).toEqual({ state: "read", epoch: 1, record: first });
    if (process.platform !== "win32") {
      expect(lstatSync(epochPath(dir.path, 1)).mode & 0o777).toBe(0o600);
    }
  });

  test("F01: is lost where somebody was before, whatever he left there", () => {
    writeFileSync(epochPath(dir.path, 1), "");
    expect(claimEpoch(dir.path, 0)).toBeUndefined();
    expect(readFileSync(epochPath(dir.path, 1), "utf8")).toBe("");
  });

  test("F56: after the last epoch there is none, and that is said instead of tried for ever", () => {
    const last = 10 ** 15 - 1;
    writeFileSync(epochPath(dir.path, last), "{}");
    expect(newestEpoch(dir.path)?.epoch).toBe(last);
    expect(() => claimEpoch(dir.path, last)).toThrow(/the last epoch/);
    expect(readdirSync(dir.path)).toHaveLength(1);
  });

  test("F01: of an epoch that is not the highest is not won", () => {
    publishEpoch(dir.path, claimedRecord({ epoch: 9 }));
    expect(claimEpoch(dir.path, 6)).toBeUndefined();
  });

  test(
    "F01: is won by exactly one, however many processes try at once",
    { timeout: 60_000 },
    async () => {
      const LAST = 300;
      const program = join(dir.path, "claimer.mjs");
      await build({
        entryPoints: [fileURLToPath(new URL("../fixtures/lifecycle/claimer.ts", import.meta.url))],
        outfile: program,
        bundle: true,
        platform: "node",
        format: "esm",
      });
      await stop();
      const scopeDir = join(dir.path, "scope");
      mkdirSync(scopeDir);
      const go = join(dir.path, "go");
      const claimers = Array.from({ length: 6 }, () =>
        startClaimer([program, scopeDir, go, String(LAST)]),
      );
      for (const { ready } of claimers) await ready;
      writeFileSync(go, "");
      const wins = await Promise.all(claimers.map(({ result }) => result));

      const won = wins.flat();
      const epochs = won.map(({ epoch }) => epoch);
      expect(new Set(epochs).size).toBe(epochs.length);
      expect(listEpochs(scopeDir)[0]).toBe(LAST);
      expect(epochs).toContain(LAST);
      for (const { epoch, token } of won) expect(holdsEpoch(scopeDir, epoch, token)).toBe(true);
      expect(readdirSync(scopeDir)).toHaveLength(LAST);
      // It was a contest: nobody won it all.
      expect(wins.filter((each) => each.length > 0).length).toBeGreaterThan(1);
    },
  );
});

interface Won {
  readonly epoch: number;
  readonly token: string;
}

function startClaimer(args: readonly string[]): {
  readonly ready: Promise<unknown>;
  readonly result: Promise<Won[]>;
} {
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout });
  const ready = once(lines, "line");
  const result = ready.then(async () => {
    const [line] = (await once(lines, "line")) as [string];
    if (child.exitCode === null) await once(child, "exit");
    return JSON.parse(line) as Won[];
  });
  return { ready, result };
}

describe("an epoch that is forgotten", () => {
  test("F86: goes with its log, once it has ended", () => {
    publishEpoch(dir.path, endedRecord());
    writeFileSync(epochLogPath(dir.path, 7), "words");
    forgetEpoch(dir.path, 7);
    forgetEpoch(dir.path, 7);
    expect(readdirSync(dir.path)).toEqual([]);
  });

  test.each([
    ["claimed", JSON.stringify(claimedRecord())],
    ["serving", JSON.stringify(servingRecord())],
    ["unreadable", "{"],
  ])("F17: stays with its log as long as it is %s", (_what, text) => {
    writeFileSync(epochPath(dir.path, 7), text);
    writeFileSync(epochLogPath(dir.path, 7), "words");
    forgetEpoch(dir.path, 7);
    expect(existsSync(epochPath(dir.path, 7))).toBe(true);
    expect(existsSync(epochLogPath(dir.path, 7))).toBe(true);
  });
});

describe("a file that cannot be read (F133)", () => {
  const ROOT = process.getuid?.() === 0;

  test.skipIf(process.platform === "win32")("for want of permission is not damaged", () => {
    publishEpoch(dir.path, servingRecord());
    chmodSync(epochPath(dir.path, 7), 0o000);
    chmodSync(dir.path, 0o755);
    // Root may read everything, so he becomes somebody else while he does.
    if (ROOT) process.seteuid?.(65_534);
    const reading = readEpoch(dir.path, 7);
    const isLost = hasLostEpoch(dir.path, 7, "another");
    if (ROOT) process.seteuid?.(0);
    expect(reading).toMatchObject({ state: "unreadable", damaged: false, code: "EACCES" });
    expect(isLost).toBe(false);
  });

  test("because something else than a file is there is damaged", () => {
    mkdirSync(epochPath(dir.path, 7));
    expect(readEpoch(dir.path, 7)).toMatchObject({
      state: "unreadable",
      damaged: true,
      code: "EISDIR",
    });
    expect(hasLostEpoch(dir.path, 7, "another")).toBe(true);
  });
});

describe("the file of the last epoch (F156)", () => {
  test("is moved aside when it is damaged, has ended, or names processes that are gone", () => {
    const gone = { ...ownIdentity(), pid: 2 ** 22 + 1, startTime: "1" };
    const movable = [
      "not a record",
      JSON.stringify(endedRecord({ epoch: LAST_EPOCH })),
      JSON.stringify(servingRecord({ epoch: LAST_EPOCH, broker: gone })),
      JSON.stringify(claimedRecord({ epoch: LAST_EPOCH, claimant: gone })),
    ];
    for (const text of movable) {
      writeFileSync(epochPath(dir.path, LAST_EPOCH), text);
      const aside = moveLastEpochAside(dir.path);
      expect(readFileSync(aside ?? "", "utf8")).toBe(text);
      expect(listEpochs(dir.path)).toEqual([]);
    }
  });

  test("stays where a process that it names may live, and where there is none", () => {
    expect(moveLastEpochAside(dir.path)).toBeUndefined();
    const elsewhere = { ...ownIdentity(), hostId: "elsewhere", bootId: "another" };
    for (const record of [
      servingRecord({ epoch: LAST_EPOCH }),
      servingRecord({ epoch: LAST_EPOCH, broker: elsewhere }),
      claimedRecord({ epoch: LAST_EPOCH }),
    ]) {
      publishEpoch(dir.path, record);
      expect(moveLastEpochAside(dir.path)).toBeUndefined();
      expect(listEpochs(dir.path)).toEqual([LAST_EPOCH]);
    }
  });
});
