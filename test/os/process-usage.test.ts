import { closeSync, openSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  descriptorLimitIn,
  ownUsage,
  residentBytesIn,
  usageOf,
} from "../../src/os/process-usage.ts";

describe("what a process uses", () => {
  test("is read from the words of the kernel", () => {
    expect(residentBytesIn("Name:\tx\nVmHWM:\t 9 kB\nVmRSS:\t   60123 kB\nRssAnon:\t 1 kB\n")).toBe(
      60_123 * 1_024,
    );
    expect(residentBytesIn("Name:\tzombie\nState:\tZ (zombie)\n")).toBeNull();
    const limits = (soft: string): string =>
      `Limit                     Soft Limit           Hard Limit           Units     \nMax open files            ${soft}                 524288               files     \n`;
    expect(descriptorLimitIn(limits("1024"))).toBe(1_024);
    expect(descriptorLimitIn(limits("unlimited"))).toBeNull();
    expect(descriptorLimitIn("")).toBeNull();
  });

  test("is unknown of one that is not there", () => {
    expect(usageOf(2 ** 30)).toEqual({ rssBytes: null, descriptors: null, descriptorLimit: null });
  });

  test(
    "F96: counts its descriptors, against its soft limit",
    { skip: process.platform !== "linux" },
    () => {
      const before = ownUsage();
      const opened = Array.from({ length: 20 }, () => openSync("/dev/null", "r"));
      const after = ownUsage();
      for (const each of opened) closeSync(each);
      expect((after.descriptors ?? 0) - (before.descriptors ?? 0)).toBe(20);
      expect(after.descriptorLimit).toBeGreaterThan(after.descriptors ?? Infinity);
      expect(after.rssBytes).toBeGreaterThan(1e7);
    },
  );
});
