import { describe, expect, test } from "vitest";
import type { Win32Calls, Win32Process } from "../../../src/os/kernel/win32-calls.ts";
import { win32 } from "../../../src/os/kernel/win32.ts";

interface Table {
  /** What Windows says of each, by the pid that was asked for. */
  readonly processes: readonly Win32Process[];
  readonly refused?: readonly number[];
}

function process(pid: number, ppid: number, startTime: number, ended = false): Win32Process {
  return { pid, ppid, startTime: String(startTime), ended };
}

/** Windows as it is documented, and a count of the handles that are open. */
function windows({ processes, refused = [] }: Table): Win32Calls & { open: Win32Calls["open"] } & {
  handles: () => number;
  terminated: number[];
} {
  const open = new Map<number, Win32Process>();
  const terminated: number[] = [];
  let next = 4;
  return {
    handles: () => open.size,
    terminated,
    open(pid) {
      const found = processes.find((each) => each.pid === (pid & ~3));
      if (found === undefined || refused.includes(found.pid)) return undefined;
      next += 4;
      open.set(next, found);
      return next;
    },
    close: (handle) => void open.delete(handle),
    describe: (handle) => open.get(handle),
    terminate(handle) {
      const { pid, ended } = open.get(handle)!;
      if (!ended) terminated.push(pid);
      return !ended;
    },
    pids: () => processes.map(({ pid }) => pid),
  };
}

describe("the parent of a process on Windows", () => {
  test("F16 S6: is one only if it is there and older: its pid may be somebody else's by now", () => {
    const calls = windows({
      processes: [
        process(100, 96, 1_000),
        process(104, 100, 1_001),
        process(108, 100, 999),
        process(112, 100, 1_000),
        process(116, 104, 2_000),
      ],
    });
    const kernel = win32(calls);
    const parents = { 100: 0, 104: 100, 108: 0, 112: 0, 116: 104 };
    expect(Object.fromEntries(kernel.list()!.map(({ pid, ppid }) => [pid, ppid]))).toEqual(parents);
    for (const [pid, ppid] of Object.entries(parents)) {
      expect(kernel.read(Number(pid))).toMatchObject({ ppid });
    }
    expect(calls.handles()).toBe(0);
  });

  test("is compared without loss: creation times exceed 2^53", () => {
    const parent = { ...process(100, 0, 0), startTime: "133700000000000001" };
    const child = { ...process(104, 100, 0), startTime: "133700000000000002" };
    expect(win32(windows({ processes: [parent, child] })).read(104)?.ppid).toBe(100);
  });
});

describe("a process of Windows", () => {
  test("F16: is nobody under a number that Windows only rounds to its pid", () => {
    const kernel = win32(windows({ processes: [process(100, 0, 1)] }));
    expect(kernel.read(100)?.pid).toBe(100);
    for (const pid of [101, 102, 103]) {
      expect(kernel.read(pid)).toBeUndefined();
      expect(kernel.hold(pid)?.read()).toBeUndefined();
    }
  });

  test("that may not be opened is known to nobody, and held by nobody", () => {
    const kernel = win32(
      windows({ processes: [process(4, 0, 1), process(8, 4, 2)], refused: [4] }),
    );
    expect(kernel.read(4)).toBeUndefined();
    expect(kernel.hold(4)).toBeUndefined();
    expect(kernel.list()).toEqual([{ pid: 8, ppid: 0, session: 0, startTime: "2", ended: false }]);
  });

  test("S1: that has ended is told as ended while somebody holds it, and is listed no more", () => {
    const kernel = win32(windows({ processes: [process(100, 0, 1, true)] }));
    expect(kernel.read(100)?.ended).toBe(true);
    expect(kernel.list()).toEqual([]);
  });

  test("S6: is ended through the handle that was asked who it is, and the handle is closed", () => {
    const calls = windows({ processes: [process(100, 0, 1), process(104, 0, 1, true)] });
    const kernel = win32(calls);
    const hold = kernel.hold(100)!;
    expect(hold.read()).toMatchObject({ pid: 100, startTime: "1" });
    expect(hold.signal("SIGTERM")).toBe(true);
    hold.close();
    const ended = kernel.hold(104)!;
    expect(ended.signal("SIGKILL")).toBe(false);
    ended.close();
    expect(calls.terminated).toEqual([100]);
    expect(calls.handles()).toBe(0);
  });
});
