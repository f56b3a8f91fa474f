import { expect, test } from "vitest";
import { parseStat, readStat } from "../../src/os/proc-stat.ts";

const REST = "S 10 11 12 34816 11 4194304 108 0 0 0 7 9 0 0 20 0 1 0 987654321 2576384 256";

test("F16: a name with parentheses, blanks and line ends cannot shift the fields", () => {
  for (const comm of ["cat", "a b", "x) S 1 2 3", "((", ")", "a\nb", ""]) {
    expect(parseStat(`4242 (${comm}) ${REST}\n`)).toEqual({
      pid: 4242,
      comm,
      state: "S",
      ppid: 10,
      pgid: 11,
      session: 12,
      startTicks: "987654321",
      cpuTicks: "7+9",
    });
  }
});

test("start ticks beyond 2^53 stay exact", () => {
  const text = `1 (init) ${REST.replace("987654321", "9007199254740993")}`;
  expect(parseStat(text)?.startTicks).toBe("9007199254740993");
});

test("text that is no stat line is nothing, not something wrong", () => {
  const broken = ["", "(a) S 1", "12 (a", "12 a) S", `x (a) ${REST}`];
  for (const text of broken) expect(parseStat(text)).toBeUndefined();
  expect(parseStat(`12 (a) ${REST.replace("10 11", "10 x1")}`)).toBeUndefined();
  const ticks = REST.indexOf("987654321");
  for (let end = 0; end < ticks + 9; end += 1) {
    expect(parseStat(`12 (a) ${REST.slice(0, end)}`)).toBeUndefined();
  }
});

test.skipIf(process.platform !== "linux")(
  "reads this very process, and no process that is not",
  () => {
    expect(readStat(process.pid)).toMatchObject({ pid: process.pid, ppid: process.ppid });
    expect(readStat(2 ** 22 + 1)).toBeUndefined();
  },
);
