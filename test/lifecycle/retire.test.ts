import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { NO_FIGURES, noFiguresOf, type Figures } from "../../src/base/figures.ts";
import { pause } from "../../src/base/deadline.ts";
import {
  listEpochs,
  publishEpoch,
  readEpoch,
  type EpochRecord,
} from "../../src/lifecycle/epoch-file.ts";
import { addToFiguresSum, readFiguresSum } from "../../src/lifecycle/figures-sum.ts";
import { Retirement } from "../../src/lifecycle/retire.ts";
import { identityOf } from "../../src/os/process-identity.ts";
import { eventually } from "../support/eventually.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeTempDir, type TempDir } from "../support/temp-dir.ts";
import { endedRecord, servingRecord } from "./records.ts";

guardAgainstLeaks();

let temp: TempDir;
/** The successor reads the records of all scopes beside its own, so the scope has a parent of its own. */
let dir: { readonly path: string };

beforeEach(async () => {
  temp = await makeTempDir();
  dir = { path: join(temp.path, "scope") };
  mkdirSync(dir.path);
});

afterEach(async () => {
  await temp.remove();
});

function figures(completed: number): Figures {
  return {
    ...NO_FIGURES,
    epochs: 1,
    turnsStarted: completed,
    ages: [{ ...noFiguresOf(0), completed }],
  };
}

function recordOf(epoch: number): EpochRecord | undefined {
  const reading = readEpoch(dir.path, epoch);
  return reading?.state === "read" ? reading.record : undefined;
}

describe("a predecessor", () => {
  test(
    "F17: that answers nobody keeps its record while its process lives, and gets its obituary after that",
    { skip: process.platform !== "linux", timeout: 40_000 },
    async () => {
      const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], {
        stdio: "ignore",
      });
      await once(child, "spawn");
      const record = servingRecord({
        epoch: 1,
        broker: identityOf(child.pid!),
        endpoint: join(dir.path, "nobody.sock"),
      });
      publishEpoch(dir.path, record);
      const retirement = new Retirement(dir.path, 2);
      try {
        // It looks after one second, and then every five.
        await pause(7_500);
        expect(recordOf(1)).toEqual(record);
        child.kill("SIGKILL");
        await once(child, "exit");
        await eventually(() => recordOf(1)?.state === "ended", "the obituary is there");
        expect(recordOf(1)).toMatchObject({ abnormal: true, token: record.token });
      } finally {
        retirement.close();
        child.kill("SIGKILL");
      }
    },
  );
});

describe("S13: figures of brokers whose obituaries are removed", () => {
  test("are added to the sum first, and the newest obituaries stay", async () => {
    for (let epoch = 1; epoch <= 25; epoch += 1) {
      publishEpoch(dir.path, endedRecord({ epoch, figures: figures(epoch) }));
    }
    const retirement = new Retirement(dir.path, 26);
    try {
      await eventually(() => listEpochs(dir.path).length === 20, "five are removed");
    } finally {
      retirement.close();
    }
    expect(listEpochs(dir.path).at(-1)).toBe(6);
    const { through, figures: sum } = readFiguresSum(dir.path);
    expect(through).toBe(5);
    expect(sum).toMatchObject({ epochs: 5, turnsStarted: 1 + 2 + 3 + 4 + 5 });
  });

  test("are added once, whoever does it and however often", () => {
    const record = endedRecord({ epoch: 3, figures: figures(7) });
    addToFiguresSum(dir.path, record);
    addToFiguresSum(dir.path, record);
    addToFiguresSum(dir.path, endedRecord({ epoch: 2, figures: figures(7) }));
    expect(readFiguresSum(dir.path)).toEqual({ through: 3, figures: figures(7) });
    addToFiguresSum(dir.path, endedRecord({ epoch: 4 }));
    addToFiguresSum(dir.path, endedRecord({ epoch: 5, figures: figures(1) }));
    expect(readFiguresSum(dir.path)).toMatchObject({
      through: 5,
      figures: { epochs: 2, turnsStarted: 8 },
    });
  });

  test.each(["", "{", "[]", '{"through":"1"}', '{"through":1,"figures":{"epochs":-1}}'])(
    "begin anew where the sum cannot be read: %j",
    (text) => {
      writeFileSync(join(dir.path, "figures.json"), text);
      expect(readFiguresSum(dir.path)).toEqual({ through: 0, figures: NO_FIGURES });
      addToFiguresSum(dir.path, endedRecord({ epoch: 1, figures: figures(2) }));
      expect(readFiguresSum(dir.path).figures.turnsStarted).toBe(2);
    },
  );
});

test("S13: an obituary with figures that nobody understands can still be read", () => {
  for (const odd of [{ figures: 7 }, { figures: { epochs: "x" } }, { wear: "boredom" }]) {
    publishEpoch(dir.path, { ...endedRecord({ epoch: 1 }), ...odd } as EpochRecord);
    const record = recordOf(1);
    expect(record).toMatchObject({ state: "ended", reason: "idle" });
    expect(record).not.toMatchObject({ figures: expect.anything() as unknown });
    expect(record).not.toMatchObject({ wear: expect.anything() as unknown });
  }
});
