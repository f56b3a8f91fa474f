import { readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  identityOf,
  livenessOf,
  ownIdentity,
  type ProcessIdentity,
} from "../../src/os/process-identity.ts";
import type { ProcessHold } from "../../src/os/kernel/kernel.ts";
import { thisKernel } from "../../src/os/kernel/this-kernel.ts";
import { isOfOurLine, killProven, killThrough } from "../../src/os/verified-kill.ts";
import { eventually } from "../support/eventually.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { startStranger } from "../support/stranger.ts";

guardAgainstLeaks();

const { startTime, bootId } = ownIdentity();

describe.skipIf(startTime === null)("a signal", () => {
  const others: Record<string, [change: Partial<ProcessIdentity>, outcome: string]> = {
    "started at another time: the pid was given anew": [{ startTime: "1" }, "gone"],
    ...(bootId === null ? {} : { "of another boot": [{ bootId: "another" }, "gone"] }),
    "of another machine": [{ hostId: "elsewhere" }, "unproven"],
    "of another pid namespace": [{ pidNamespace: "pid:[1]" }, "unproven"],
    "of a start time that nobody knows": [{ startTime: null }, "unproven"],
  };
  test.each(Object.entries(others))(
    "S5 S6 F16: does not reach a process that may be another: one %s",
    async (_what, [change, outcome]) => {
      const stranger = await startStranger();
      const identity = identityOf(stranger.pid);
      for (const signal of ["SIGTERM", "SIGKILL"] as const) {
        expect(killProven({ ...identity, ...change }, signal)).toBe(outcome);
      }
      expect(livenessOf(identity)).toBe("alive");
      await stranger.end();
    },
  );

  test("S5 S6: does not reach ourselves nor those whom we descend from, proven or not", () => {
    for (const pid of [process.pid, process.ppid]) {
      expect(killProven(identityOf(pid), "SIGTERM")).toBe("unproven");
    }
    expect(killProven(identityOf(1), "SIGTERM")).not.toBe("signalled");
  });

  test.each([0, -1])("S5: does not reach a group by the pid %d", (pid) => {
    // Windows knows of no such process at all.
    const outcome = process.platform === "win32" && pid < 0 ? "gone" : "unproven";
    expect(killProven({ ...ownIdentity(), pid }, "SIGTERM")).toBe(outcome);
  });

  test.runIf(process.platform === "linux")(
    "F16: leaves no descriptor open, whatever becomes of it",
    async () => {
      const open = (): number => readdirSync("/proc/self/fd").length;
      const stranger = await startStranger();
      const identity = identityOf(stranger.pid);
      // The first look loads what calls the kernel.
      expect(killProven({ ...identity, startTime: "1" }, "SIGTERM")).toBe("gone");
      const before = open();
      for (let attempt = 0; attempt < 5; attempt += 1) {
        expect(killProven({ ...identity, startTime: "1" }, "SIGTERM")).toBe("gone");
        expect(killProven({ ...identity, hostId: "elsewhere" }, "SIGTERM")).toBe("unproven");
      }
      expect(open()).toBe(before);
      expect(killProven(identity, "SIGKILL")).toBe("signalled");
      expect(open()).toBeLessThanOrEqual(before);
      await stranger.end();
    },
  );

  test("S5 S6: reaches the very process that is proven, and nobody after its end", async () => {
    const [stranger, neighbour] = [await startStranger(), await startStranger()];
    const identity = identityOf(stranger.pid);
    expect(killProven(identity, "SIGKILL")).toBe("signalled");
    await eventually(() => !stranger.alive(), "it ends");
    expect(killProven(identity, "SIGKILL")).toBe("gone");
    expect(neighbour.alive()).toBe(true);
    await neighbour.end();
  });
});

describe.skipIf(startTime === null)("a hold on a process", () => {
  /** What the system holds, and what is done with it. */
  function held(change: Partial<ProcessHold> = {}): { hold: ProcessHold; calls: string[] } {
    const calls: string[] = [];
    const hold = {
      read: () => thisKernel().read(process.pid),
      signal: (): boolean => true,
      ...change,
    };
    return {
      calls,
      hold: {
        read: hold.read,
        signal: (signal) => {
          calls.push(signal);
          return hold.signal(signal);
        },
        close: () => void calls.push("close"),
      },
    };
  }

  test("is let go of after each outcome, and once (S5)", () => {
    const alive = held();
    expect(killThrough(alive.hold, ownIdentity(), "SIGTERM")).toBe("signalled");
    expect(alive.calls).toEqual(["SIGTERM", "close"]);
    const other = held();
    expect(killThrough(other.hold, { ...ownIdentity(), startTime: "1" }, "SIGTERM")).toBe("gone");
    expect(other.calls).toEqual(["close"]);
    const unread = held({ read: () => undefined });
    expect(killThrough(unread.hold, ownIdentity(), "SIGTERM")).toBe("unproven");
    expect(unread.calls).toEqual(["close"]);
    const failing = held({
      read: () => {
        throw new Error("no");
      },
    });
    expect(() => killThrough(failing.hold, ownIdentity(), "SIGTERM")).toThrow("no");
    expect(failing.calls).toEqual(["close"]);
  });

  test("through which the signal does not arrive reports no signal (S5)", async () => {
    const { hold } = held({ signal: () => false });
    expect(killThrough(hold, ownIdentity(), "SIGKILL")).toBe("unproven");
    const stranger = await startStranger();
    const identity = identityOf(stranger.pid);
    const entry = thisKernel().read(stranger.pid);
    await stranger.end();
    const late = held({ read: () => entry, signal: () => false });
    expect(killThrough(late.hold, identity, "SIGKILL")).toBe("gone");
  });

  test.skipIf(process.platform !== "linux")(
    "leaks no descriptor, whatever comes of it (S5)",
    async () => {
      const stranger = await startStranger();
      const identity = identityOf(stranger.pid);
      killProven({ ...identity, startTime: "1" }, "SIGTERM");
      const before = readdirSync("/proc/self/fd").length;
      for (let n = 0; n < 50; n += 1) killProven({ ...identity, startTime: "1" }, "SIGTERM");
      expect(readdirSync("/proc/self/fd").length).toBeLessThan(before + 10);
      await stranger.end();
    },
  );
});

test("numbers that are no process of its own, and the first process, are spared like ourselves (S5)", () => {
  for (const pid of [1, 0, -1, -process.pid, process.pid, process.ppid]) {
    expect([pid, isOfOurLine(pid)]).toEqual([pid, true]);
  }
  expect(isOfOurLine(2 ** 22 + 1)).toBe(false);
});
