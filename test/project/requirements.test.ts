import { describe, expect, test } from "vitest";
import { requirements } from "../requirements.ts";
import { idsIn, testTitles, titlesIn } from "./test-titles.ts";

const known = new Set(requirements.map(({ id }) => id));

describe("the list of requirements", () => {
  test("holds every number once, in order", () => {
    const wanted = [
      ...Array.from({ length: 13 }, (_, index) => `S${index + 1}`),
      ...Array.from({ length: 189 }, (_, index) => `F${String(index + 1).padStart(2, "0")}`),
    ];
    expect(requirements.map(({ id }) => id)).toEqual(wanted);
  });

  test("says of each partly met one what is missing", () => {
    const silent = requirements.filter(({ state, note }) => state === "partly" && !note);
    expect(silent.map(({ id }) => id)).toEqual([]);
  });
});

describe("the titles of the tests", () => {
  const titles = testTitles();

  test("are found", () => {
    expect(titles.length).toBeGreaterThan(10);
  });

  test("name only requirements that exist", () => {
    const unknown = titles.flatMap(({ file, title }) =>
      idsIn(title).flatMap((id) => (known.has(id) ? [] : [`${file}: ${id}`])),
    );
    expect(unknown).toEqual([]);
  });

  test("name every requirement that is closed", () => {
    const proven = new Set(
      titles.filter(({ skipped }) => !skipped).flatMap(({ title }) => idsIn(title)),
    );
    const unproven = requirements.filter(({ id, state }) => state === "closed" && !proven.has(id));
    expect(unproven.map(({ id }) => id)).toEqual([]);
  });
});

describe("reading titles", () => {
  test("sees through the ways to write a test", () => {
    const source = [
      'describe("outer F99", () => {',
      '  test("plain F01 and S2", () => {});',
      '  test.each([1])("each F03 %s", () => {});',
      '  describe.skipIf(x)("maybe F04", () => {});',
      '  it.skip("off F05", () => {});',
      "  test(`with ${name} F06`, () => {});",
      '  other("not F07");',
      "});",
    ].join("\n");
    expect(
      titlesIn("a.test.ts", source).map(({ title, skipped }) => [idsIn(title), skipped]),
    ).toEqual([
      [["F99"], false],
      [["F01", "S2"], false],
      [["F03"], false],
      [["F04"], false],
      [["F05"], true],
      [["F06"], false],
    ]);
  });

  test("takes no other capital and digits for an id", () => {
    expect(idsIn("UTF8, F1, SF12, F1234, PDF10")).toEqual([]);
  });
});
