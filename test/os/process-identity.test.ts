import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { describe, expect, test } from "vitest";
import { thisKernel } from "../../src/os/kernel/this-kernel.ts";
import {
  identityIn,
  identityOf,
  isOfOtherHost,
  livenessIn,
  livenessOf,
  ownIdentity,
  type ProcessIdentity,
} from "../../src/os/process-identity.ts";
import { eventually } from "../support/eventually.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { startStranger } from "../support/stranger.ts";

guardAgainstLeaks();

const ON_LINUX = process.platform === "linux";
/** Whether this system, with what is installed on it, tells one process from the next of its pid. */
const PROVES = ownIdentity().startTime !== null;
const POSIX = process.platform !== "win32";
const HAS_BOOT_ID = ownIdentity().bootId !== null;
const OUT_OF_RANGE = 2 ** 22 + 1;

async function end(child: ChildProcess): Promise<void> {
  child.kill("SIGKILL");
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}

describe("this very process", () => {
  test("has an identity that does not change, and travels as JSON", () => {
    expect(ownIdentity()).toBe(ownIdentity());
    expect(ownIdentity().pid).toBe(process.pid);
    expect(JSON.parse(JSON.stringify(ownIdentity()))).toEqual(ownIdentity());
  });

  test.skipIf(!PROVES)("S9 S6: is proven alive, by everything that the system has", () => {
    expect(livenessOf(ownIdentity())).toBe("alive");
    if (ON_LINUX) for (const value of Object.values(ownIdentity())) expect(value).not.toBeNull();
  });

  test("is told from others on the systems that Codex runs on, if koffi is there", () => {
    if (["linux", "win32", "darwin"].includes(process.platform)) expect(PROVES).toBe(true);
  });
});

describe.skipIf(!PROVES)("another process", () => {
  test("S6: is alive until it is killed, and gone then", async () => {
    const stranger = await startStranger();
    const identity = identityOf(stranger.pid);
    expect(livenessOf(identity)).toBe("alive");
    await stranger.end();
    expect(livenessOf(identity)).toBe("gone");
  });

  test("S1: is gone when it has ended, whoever still holds it", async () => {
    const stranger = await startStranger();
    const identity = identityOf(stranger.pid);
    const hold = thisKernel().hold(stranger.pid)!;
    await stranger.end();
    expect(livenessOf(identity)).toBe("gone");
    hold.close();
    expect(livenessOf(identity)).toBe("gone");
  });

  test.skipIf(!POSIX)("S1: is gone as a zombie, though its pid still takes a signal", async () => {
    // The shell starts a child and becomes a program that never asks how its children ended.
    const parent = spawn("sh", ["-c", "sleep 0.05 & echo $!; exec sleep 600 >&-"]);
    const zombie = identityOf(Number(await text(parent.stdout)));
    await eventually(() => thisKernel().read(zombie.pid)?.ended === true, "the child has ended");
    expect(process.kill(zombie.pid, 0)).toBe(true);
    expect(livenessOf(zombie)).toBe("gone");
    await end(parent);
  });

  test("S5 S6 F16: with the same pid and another start time is another one", () => {
    const mine = ownIdentity();
    const earlier = { ...mine, startTime: String(BigInt(mine.startTime!) - 1n) };
    expect(livenessOf(earlier)).toBe("gone");
    expect(livenessOf({ ...mine, startTime: `${String(mine.startTime)}0` })).toBe("gone");
  });
});

describe("what can be proven of an identity", () => {
  const here = ownIdentity();
  const cases: Record<string, [Partial<ProcessIdentity>, string]> = {
    "F16: another boot of this machine: it is gone, though its pid is taken": [
      { bootId: "another" },
      "gone",
    ],
    "another boot, whatever its pid namespace was": [
      { bootId: "another", pidNamespace: "pid:[1]" },
      "gone",
    ],
    "F95: another machine: nothing": [{ hostId: "elsewhere" }, "unknown"],
    "F95: another machine with another boot: nothing": [
      { hostId: "elsewhere", bootId: "another", pid: OUT_OF_RANGE },
      "unknown",
    ],
    "S5: another pid namespace: nothing": [{ pidNamespace: "pid:[1]" }, "unknown"],
    "S5: a start time that is not known: nothing": [{ startTime: null }, "unknown"],
    "a pid that nobody has, and no start time: it is gone": [
      { pid: OUT_OF_RANGE, startTime: null },
      "gone",
    ],
  };
  const testable = Object.entries(cases).filter(
    ([, [change]]) => HAS_BOOT_ID || change.bootId === undefined,
  );
  test.skipIf(!PROVES).each(testable)("%s", (_what, [change, liveness]) => {
    expect(livenessOf({ ...here, ...change })).toBe(liveness);
  });

  test("a pid that is no pid proves nothing and throws nothing", () => {
    for (const pid of [2 ** 32 + 1, Number.MAX_SAFE_INTEGER]) {
      expect(["gone", "unknown"]).toContain(livenessOf({ ...here, pid, startTime: null }));
    }
  });
});

describe.skipIf(!PROVES)("an identity that was taken of nobody", () => {
  test("is never alive", () => {
    expect(identityOf(OUT_OF_RANGE).startTime).toBeNull();
    expect(livenessOf(identityOf(OUT_OF_RANGE))).toBe("gone");
  });
});

describe.skipIf(!PROVES)("a process as it is read (S5 S6)", () => {
  const entry = thisKernel().read(process.pid)!;
  const plain = { ...entry };
  Reflect.deleteProperty(plain, "uniqueId");

  test("carries its unique number where the system has one, and none where it has none", () => {
    expect(identityIn({ ...plain, uniqueId: "77" })).toMatchObject({ uniqueId: "77" });
    expect(identityIn(plain)).not.toHaveProperty("uniqueId");
  });

  test("is another one when its unique number is, though pid and start time are equal", () => {
    const one = identityIn({ ...plain, uniqueId: "77" });
    expect(livenessIn(one, () => ({ ...plain, uniqueId: "77" }))).toBe("alive");
    expect(livenessIn(one, () => ({ ...plain, uniqueId: "78" }))).toBe("gone");
  });

  test("is compared by its start time where only one side has a unique number", () => {
    const [one, none] = [identityIn({ ...plain, uniqueId: "77" }), identityIn(plain)];
    expect(livenessIn(one, () => plain)).toBe("alive");
    expect(livenessIn(none, () => ({ ...plain, uniqueId: "78" }))).toBe("alive");
  });

  test("is gone when it has ended, and alive only until then", () => {
    expect(livenessIn(ownIdentity(), () => ({ ...entry, ended: true }))).toBe("gone");
    expect(livenessIn(ownIdentity(), () => ({ ...entry, ended: false }))).toBe("alive");
  });

  test("that runs and cannot be read is not proven gone (F16)", () => {
    expect(livenessIn(ownIdentity(), () => undefined)).toBe("unknown");
    const nobody = { ...ownIdentity(), pid: OUT_OF_RANGE };
    expect(livenessIn(nobody, () => undefined)).toBe("gone");
  });
});

describe("an identity is of another host (F126)", () => {
  const here = ownIdentity();
  test.skipIf(!HAS_BOOT_ID)("when neither its host nor its boot is ours", () => {
    const cases: Array<[change: Partial<ProcessIdentity>, expected: boolean]> = [
      [{}, false],
      [{ bootId: "another" }, false],
      [{ hostId: "elsewhere" }, false],
      [{ hostId: "elsewhere", bootId: "another" }, true],
      [{ hostId: "elsewhere", bootId: null }, true],
      [{ bootId: null }, false],
    ];
    for (const [change, expected] of cases) {
      expect([change, isOfOtherHost({ ...here, ...change })]).toEqual([change, expected]);
    }
  });
});
