import { existsSync, linkSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { mendAll } from "../../src/doctor/mend.ts";
import { epochPath, publishEpoch, type EpochRecord } from "../../src/lifecycle/epoch-file.ts";
import { ownerOfSocket } from "../../src/lifecycle/socket-owner.ts";
import { ownIdentity } from "../../src/os/process-identity.ts";
import { formatDirectory } from "../../src/lifecycle/state-directory.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeTempDir, type TempDir } from "../support/temp-dir.ts";
import { claimedRecord, endedRecord, servingRecord } from "./records.ts";

guardAgainstLeaks();

const KEY = "0123456789abcdef".repeat(2);
const SHORT = KEY.slice(0, 12);
const gone = { ...ownIdentity(), pid: 2 ** 22 + 1, startTime: "1" };
const elsewhere = { ...ownIdentity(), hostId: "elsewhere", bootId: "another" };

let dir: TempDir;
let stateDir: string;
let scopeDir: string;
let socket: string;
let current: string;

beforeEach(async () => {
  dir = await makeTempDir();
  stateDir = join(dir.path, "state");
  scopeDir = join(formatDirectory(stateDir), KEY);
  for (const each of [stateDir, join(stateDir, "run"), formatDirectory(stateDir), scopeDir]) {
    mkdirSync(each, { mode: 0o700 });
  }
  socket = join(stateDir, "run", `${SHORT}.7.fedcba.sock`);
  current = join(stateDir, "run", `${SHORT}.current`);
});
afterEach(async () => {
  await dir.remove();
});

describe("whether a record says that a socket or a fixed path is used (F174)", () => {
  const now = (): string => new Date().toISOString();
  const cases: Record<string, [record: () => EpochRecord, expected: string]> = {
    "a broker that serves": [() => servingRecord({ endpoint: socket, current }), "in use"],
    "a broker of another host": [
      () => servingRecord({ endpoint: socket, current, broker: elsewhere }),
      "in use",
    ],
    "a broker that is proven gone": [
      () => servingRecord({ endpoint: socket, current, broker: gone }),
      "unused",
    ],
    "a broker with another socket": [
      () => servingRecord({ endpoint: "/other.sock", current: null }),
      "unused",
    ],
    "a broker that has ended": [() => endedRecord(), "unused"],
    "a claim that is young": [() => claimedRecord({ claimedAt: now() }), "in use"],
    "a claim over the limit": [
      () => claimedRecord({ claimedAt: "2020-01-01T00:00:00.000Z" }),
      "unused",
    ],
    "a claim whose claimant is gone": [
      () => claimedRecord({ claimedAt: now(), claimant: gone }),
      "unused",
    ],
  };
  test.each(Object.entries(cases))("%s", (_what, [record, expected]) => {
    publishEpoch(scopeDir, record());
    expect(ownerOfSocket(stateDir, socket)).toBe(expected);
    expect(ownerOfSocket(stateDir, current)).toBe(expected);
  });

  test("without a record nobody uses it, and in a shared directory that is another's to say", () => {
    expect(ownerOfSocket(stateDir, socket)).toBe("unused");
    expect(ownerOfSocket(stateDir, join(stateDir, "run", "ffffffffffff.1.aaaaaa.sock"))).toBe(
      "unused",
    );
    expect(ownerOfSocket(stateDir, join(dir.path, "ffffffffffff.1.aaaaaa.sock"))).toBe("foreign");
    expect(ownerOfSocket(stateDir, join(dir.path, "ffffffffffff.current"))).toBe("foreign");
    expect(ownerOfSocket(stateDir, join(stateDir, "run", "strange.sock"))).toBe("foreign");
  });

  test("a record that is damaged leads nowhere", () => {
    writeFileSync(epochPath(scopeDir, 7), "{");
    expect(ownerOfSocket(stateDir, socket)).toBe("unused");
  });
});

test.skipIf(process.platform === "win32")(
  "a socket that refuses is not removed while a record leads there, whatever was found before (F174)",
  async () => {
    const server = createServer().listen(join(dir.path, "s"));
    await once(server, "listening");
    linkSync(join(dir.path, "s"), socket);
    server.close();
    const remedy = { kind: "removeSocket", stateDir, path: socket } as const;
    const found = { code: "leftOverSocket", severity: "warning", message: "", next: "" } as const;
    const mend = async () => (await mendAll([{ ...found, details: {}, remedy }], () => {}))[0];

    publishEpoch(scopeDir, servingRecord({ endpoint: socket, current }));
    expect((await mend())?.mended).toEqual({ done: false, did: "a record leads there" });
    expect(existsSync(socket)).toBe(true);
    publishEpoch(scopeDir, endedRecord());
    expect((await mend())?.mended).toEqual({ done: true, did: "removed it" });
    expect(existsSync(socket)).toBe(false);
  },
);
