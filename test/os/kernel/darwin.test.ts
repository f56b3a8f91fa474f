import { constants } from "node:os";
import { describe, expect, test } from "vitest";
import type { DarwinCalls } from "../../../src/os/kernel/darwin-calls.ts";
import { darwin } from "../../../src/os/kernel/darwin.ts";

/*
 * No Mac has ever run this. The bytes are written down by Apple's headers (`struct proc_bsdinfo` and
 * `struct proc_uniqidentifierinfo`), so the suite proves that they are read as they are documented.
 */

const SLEEPING = 3;
const ZOMBIE = 5;

interface Told {
  readonly pid: number;
  readonly ppid?: number;
  readonly status?: number;
  readonly seconds?: bigint;
  readonly microseconds?: bigint;
  readonly uniqueId?: bigint;
  readonly generation?: number;
}

function description(told: Told): Buffer {
  const bytes = Buffer.alloc(192, 0xee);
  bytes.writeUInt32LE(told.status ?? SLEEPING, 4);
  bytes.writeUInt32LE(told.pid, 12);
  bytes.writeUInt32LE(told.ppid ?? 1, 16);
  bytes.writeBigUInt64LE(told.seconds ?? 1_763_800_000n, 120);
  bytes.writeBigUInt64LE(told.microseconds ?? 42n, 128);
  bytes.writeBigUInt64LE(told.uniqueId ?? 77n, 152);
  bytes.writeInt32LE(told.generation ?? 9, 168);
  return bytes;
}

function mac(processes: readonly Told[], change: Partial<DarwinCalls> = {}): DarwinCalls {
  return {
    describe(pid) {
      const told = processes.find((each) => each.pid === pid);
      return told && description(told);
    },
    pids: () => [0, ...processes.map(({ pid }) => pid)],
    sessionOf: (pid) => pid,
    bootSession: () => "5E5C7C5A-0000-0000-0000-000000000001",
    hostUuid: () => "00112233445566778899aabbccddeeff",
    signalByToken: () => true,
    ...change,
  };
}

describe("a process of macOS", () => {
  test("has a start time in microseconds and an id that is never given again", () => {
    expect(darwin(mac([{ pid: 500, ppid: 400 }])).read(500)).toEqual({
      pid: 500,
      ppid: 400,
      session: 500,
      startTime: "1763800000000042",
      uniqueId: "77",
      ended: false,
    });
  });

  test("S1: has ended when it is a zombie, and is listed no more", () => {
    const kernel = darwin(mac([{ pid: 500, status: ZOMBIE }, { pid: 501 }]));
    expect(kernel.read(500)?.ended).toBe(true);
    expect(kernel.list()?.map(({ pid }) => pid)).toEqual([501]);
  });

  test("is nobody when the answer is of another pid, or there is none", () => {
    const kernel = darwin(mac([], { describe: () => description({ pid: 500 }) }));
    expect(kernel.read(501)).toBeUndefined();
    expect(darwin(mac([])).hold(500)).toBeUndefined();
  });

  test("F16: is signalled by a token with its pid and its generation, in Apple's order of words", () => {
    const sent: unknown[] = [];
    const kernel = darwin(
      mac([{ pid: 500, generation: 1_234 }], {
        signalByToken(token, signal) {
          sent.push([Array.from({ length: 8 }, (_, at) => token.readUInt32LE(at * 4)), signal]);
          return true;
        },
      }),
    );
    const hold = kernel.hold(500)!;
    expect(hold.read()?.startTime).toBe("1763800000000042");
    expect(hold.signal("SIGTERM")).toBe(true);
    expect(sent).toEqual([[[0, 0, 0, 0, 0, 500, 0, 1_234], constants.signals.SIGTERM]]);
    expect(kernel.canHold()).toBe(true);
  });

  test("F16: is held as it was first seen: whoever has the pid later has another token", () => {
    const seen = [description({ pid: 500, uniqueId: 1n }), description({ pid: 500, uniqueId: 2n })];
    const hold = darwin(mac([], { describe: () => seen.shift() })).hold(500)!;
    expect(hold.read()?.uniqueId).toBe("1");
    expect(hold.read()?.uniqueId).toBe("1");
  });
});

test("a Mac is known by its hardware, since its name changes with the network, and a boot by its session", () => {
  const kernel = darwin(mac([]));
  expect(kernel.machine()).toBe("00112233445566778899aabbccddeeff");
  expect(kernel.bootId()).toBe("5E5C7C5A-0000-0000-0000-000000000001");
  expect(darwin(mac([], { hostUuid: () => null })).machine()).not.toBe("");
});

test("S5 F16: a macOS without signals by token knows its processes, and signals nobody", () => {
  const kernel = darwin(mac([{ pid: 500 }], { signalByToken: undefined }));
  expect(kernel.canHold()).toBe(false);
  expect(kernel.read(500)?.uniqueId).toBe("77");
  expect(kernel.hold(500)).toBeUndefined();
});

test("F16: the generation of a pid is a signed number, as Apple writes it", () => {
  const tokens: Buffer[] = [];
  const kernel = darwin(
    mac([{ pid: 500, generation: -7 }], {
      signalByToken(token) {
        tokens.push(token);
        return true;
      },
    }),
  );
  kernel.hold(500)?.signal("SIGKILL");
  expect(tokens.map((token) => token.readInt32LE(28))).toEqual([-7]);
});
