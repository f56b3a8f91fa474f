import { existsSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ageOutScopes, JOBS_KEPT_MS, RECORDS_KEPT_MS } from "../../src/broker/scope-ageing.ts";
import { epochLogPath, epochPath, publishEpoch } from "../../src/lifecycle/epoch-file.ts";
import type { EpochRecord } from "../../src/lifecycle/epoch-file.ts";
import { resolveScope, type Scope } from "../../src/lifecycle/scope.ts";
import { ownIdentity } from "../../src/os/process-identity.ts";
import { endedRecord, servingRecord } from "../lifecycle/records.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeTempDir, type TempDir } from "../support/temp-dir.ts";

guardAgainstLeaks();

const NOW = Date.now();
const KEY = "0123456789abcdef".repeat(2);

let dir: TempDir;
let own: Scope;
let other: string;
beforeEach(async () => {
  dir = await makeTempDir();
  for (const name of ["work", "home"]) mkdirSync(join(dir.path, name));
  own = resolveScope({
    cwd: join(dir.path, "work"),
    codex: process.execPath,
    env: { CODEX_HOME: join(dir.path, "home"), CODEX_BROKER_STATE_DIR: join(dir.path, "state") },
  });
  other = join(own.directory, "..", KEY);
  mkdirSync(join(other, "jobs"), { recursive: true });
});
afterEach(() => dir.remove());

/** What a scope has left that was changed so long ago: two epochs, logs, figures, one job. */
function leave(ageMs: number, change: Partial<EpochRecord> = {}): void {
  const served = { ...servingRecord(), workspace: join(dir.path, "gone"), place: own.place };
  const records = [
    { ...served, ...endedRecord({ epoch: 1 }) },
    { ...served, ...endedRecord({ epoch: 2 }), ...change } as EpochRecord,
  ];
  const at = new Date(NOW - ageMs);
  for (const record of records) {
    publishEpoch(other, record);
    writeFileSync(epochLogPath(other, record.epoch), "log");
    utimesSync(epochPath(other, record.epoch), at, at);
  }
  writeFileSync(join(other, "figures.json"), "{}");
  writeFileSync(join(other, "jobs", "bcdfghjk.jsonl"), "");
}

const ofGone = () => ({ place: own.place, workspace: join(dir.path, "gone") });
const ALL = ["1.json", "1.log", "2.json", "2.log", "figures.json", "jobs"];
const left = (): string[] => (existsSync(other) ? readdirSync(other).toSorted() : []);

test("a scope whose workspace is gone loses its logs first, and its jobs with the rest (F136)", async () => {
  leave(RECORDS_KEPT_MS - 60_000);
  await ageOutScopes(own, NOW);
  expect(left()).toEqual(ALL);
  leave(RECORDS_KEPT_MS + 60_000);
  await ageOutScopes(own, NOW);
  expect(left()).toEqual(["2.json", "figures.json", "jobs"]);
  leave(JOBS_KEPT_MS + 60_000);
  await ageOutScopes(own, NOW);
  expect(existsSync(other)).toBe(false);
});

test.each([
  ["has a workspace", () => ({ workspace: dir.path })],
  ["has a living broker", () => ({ ...servingRecord({ epoch: 2 }), ...ofGone() })],
  ["is of another host", () => ({ place: { ...own.place, host: "another" } })],
  ["does not say where it is", () => ({ place: undefined })],
  [
    "has a broker that cannot be verified",
    () => ({
      ...servingRecord({ epoch: 2 }),
      broker: { ...ownIdentity(), hostId: "another", bootId: "another" },
      ...ofGone(),
    }),
  ],
])("a scope that %s stays, however old it is (F136)", async (_what, change) => {
  leave(JOBS_KEPT_MS * 2, change() as Partial<EpochRecord>);
  await ageOutScopes(own, NOW);
  expect(left()).toEqual(ALL);
});

test("a private scope ages out with its workspace there, and foreign files stay (F136)", async () => {
  leave(JOBS_KEPT_MS * 2, { private: true, workspace: dir.path });
  writeFileSync(join(other, "notes.txt"), "of the user");
  await ageOutScopes(own, NOW);
  expect(left()).toContain("notes.txt");
  expect(left()).not.toContain("2.json");
});
