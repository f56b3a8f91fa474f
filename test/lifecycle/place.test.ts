import { expect, test } from "vitest";
import { isSamePlace, type Place } from "../../src/lifecycle/place.ts";

const HERE: Place = { host: "a", system: "1:2", workspace: "3:4" };

test("places of one boot are the same only if host, programs and files are (F125)", () => {
  expect(isSamePlace(HERE, { ...HERE }, true)).toBe(true);
  for (const other of [{ host: "b" }, { system: "9:2" }, { workspace: "9:4" }]) {
    expect(isSamePlace(HERE, { ...HERE, ...other }, true)).toBe(false);
  }
});

test("places of different boots are compared by the inode of the files, because devices are numbered anew", () => {
  expect(isSamePlace(HERE, { host: "b", system: "9:9", workspace: "9:4" }, false)).toBe(true);
  expect(isSamePlace(HERE, { ...HERE, workspace: "3:5" }, false)).toBe(false);
  const elsewhere = { ...HERE, system: null, workspace: null };
  expect(isSamePlace(elsewhere, { ...elsewhere, host: "b" }, false)).toBe(true);
});
