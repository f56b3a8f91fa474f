import { readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  identityOf,
  livenessOf,
  ownIdentity,
  type ProcessIdentity,
} from "../../src/os/process-identity.ts";
import { killProven } from "../../src/os/verified-kill.ts";
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
    expect(killProven({ ...ownIdentity(), pid }, "SIGTERM")).toBe("unproven");
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
