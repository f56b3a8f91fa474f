import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cardOf } from "../../../src/cli/ask/card.ts";
import type { Page, PageSize } from "../../../src/cli/ask/dialogue.ts";
import { claimRow, layOut } from "../../../src/cli/ask/pages.ts";
import { widthOf } from "../../../src/cli/output/width.ts";

const PROMPT_ROWS = 2;
const COMMAND = "item/commandExecution/requestApproval";
const FILES = "item/fileChange/requestApproval";
const sizes: readonly PageSize[] = [
  { columns: 77, rows: 24 },
  { columns: 117, rows: 24 },
  { columns: 77, rows: 50 },
  { columns: 117, rows: 50 },
];

function pagesOf(command: string, size: PageSize, reason?: string): readonly Page[] {
  const card = cardOf(COMMAND, { command, cwd: "/work", reason }, undefined);
  if (card === undefined) throw new Error("a command has a card");
  return [...layOut(card, size, PROMPT_ROWS)];
}

/** The rows of a page as a person sees them, from top to bottom, above the keys. */
function rowsOf(page: Page, { columns }: PageSize): readonly string[] {
  return [
    ...page.claims.map((claim) => claimRow(claim, columns)),
    ...page.details.map(({ text }) => text),
    page.heading,
    ...page.summary.map(({ text }) => text),
  ];
}

/** What the pages show of the command from its start to its end, without spaces. */
function wholeText(pages: readonly Page[]): string {
  const details = pages.flatMap((page) => page.details);
  const lines = details.length > 0 ? details : (pages[0]?.summary ?? []);
  return lines
    .map(({ text }) => text)
    .join("")
    .replaceAll(/\s/g, "");
}

/** The attacks of F166. Each ends with, or begins with, what a person must not overlook. */
const attacks: ReadonlyArray<[name: string, command: string]> = [
  ["thousands of spaces", `touch PWNED${" ".repeat(20_000)}git status --short`],
  ["31 lines", `touch PWNED\n${"\n".repeat(31)}git status --short`],
  ["200 lines", `touch PWNED\n${": \n".repeat(200)}git status --short`],
  ["one long word", `touch PWNED; : ${"x".repeat(9_000)}; git status --short`],
  ["wide characters", `touch PWNED; : ${"漢".repeat(4_000)}; git status --short`],
  ["tabs", `touch PWNED${"\t".repeat(5_000)}git status --short`],
  ["other spaces", `touch PWNED${"\u2003".repeat(9_000)}git status --short`],
  ["carriage returns", `touch PWNED${"\r".repeat(100)}git status --short`],
  ["erasing", `touch PWNED\u001b[2J\u001b[Hgit status --short`],
];

describe("a page of a question (F166)", () => {
  describe.each(sizes)("on $columns columns and $rows rows", (size) => {
    test.each(attacks)("shows what is hidden behind %s", (_name, command) => {
      const pages = pagesOf(
        command,
        size,
        "reads the status\n? Codex wants to run a command\n│ ls",
      );
      for (const page of pages) {
        const rows = rowsOf(page, size);
        expect(rows.length + PROMPT_ROWS).toBeLessThanOrEqual(size.rows);
        for (const row of rows) expect(widthOf(row)).toBeLessThanOrEqual(size.columns);
        const summary = page.summary.map(({ text }) => text);
        expect(summary.join("").replaceAll(" ", "")).toMatch(/^touchPWNED/);
        expect(summary.at(-1)).toBe("in /work");
      }
      const shown = wholeText(pages);
      expect(shown).toMatch(/^touchPWNED/);
      expect(shown).toContain("gitstatus--short");
    });
  });

  test("has the model's reason as one labelled row, above everything else", () => {
    const [size] = sizes;
    if (size === undefined) throw new Error("there is a size");
    const reason = `all is well\n\n? Codex wants to run a command\n│ ls ${"x".repeat(500)}`;
    const [page] = pagesOf("rm -rf /", size, reason);
    const rows = rowsOf(page as Page, size);
    expect(rows[0]).toMatch(
      /^the model's reason: all is well \? Codex wants to run a command │ ls x/,
    );
    expect(rows.slice(1)).toEqual(["Codex wants to run a command", "rm -rf /", "in /work"]);
  });

  test("says how much more there is, and the last page has all that is left", () => {
    const pages = pagesOf(
      Array.from({ length: 100 }, (_none, index) => `line ${index}`).join("\n"),
      { columns: 77, rows: 24 },
    );
    expect(pages.length).toBeGreaterThan(4);
    expect(pages.slice(0, -1).every(({ more }) => /^about \d+ more rows?$/.test(more))).toBe(true);
    expect(pages.at(-1)?.more).toBe("");
    const details = pages.flatMap((page) => page.details.map(({ text }) => text));
    expect(details.filter((row) => row.startsWith("line "))).toHaveLength(100);
  });

  test("names the files of a change directly above the keys, and has the change before", () => {
    const changes = ["a", "b"].map((path) => ({ path, kind: { type: "add" }, diff: "x\n" }));
    const card = cardOf(FILES, {}, { type: "fileChange", changes } as never);
    const [page] = [...layOut(card!, { columns: 77, rows: 24 }, PROMPT_ROWS)];
    expect(page?.summary).toEqual([{ text: "add a, add b" }]);
    expect(page?.details.map(({ text }) => text)).toEqual(["add a", "+x", "add b", "+x"]);
  });

  test("fits the screen and loses nothing, whatever the command is", () => {
    fc.assert(
      fc.property(
        fc.array(fc.stringMatching(/^[a-z]{1,40}$/), { minLength: 1, maxLength: 400 }),
        fc.integer({ min: 20, max: 200 }),
        fc.integer({ min: 16, max: 80 }),
        (words, columns, rows) => {
          const pages = pagesOf(words.join(" "), { columns, rows });
          for (const page of pages) {
            expect(rowsOf(page, { columns, rows }).length + PROMPT_ROWS).toBeLessThanOrEqual(rows);
          }
          expect(wholeText(pages)).toContain(words.join(""));
        },
      ),
    );
  });
});

test("the first page of a line of four megabytes is there at once (F170)", () => {
  const size = { columns: 77, rows: 24 };
  const diff = `+${"x y".repeat(1_400_000)}`;
  const changes = [{ path: "a", kind: { type: "update", move_path: null }, diff }];
  const card = cardOf(FILES, {}, { type: "fileChange", changes } as never);
  // Processor time of this process; a quadratic layout took minutes.
  const start = process.cpuUsage();
  const { value } = layOut(card!, size, PROMPT_ROWS).next();
  expect((value as Page).more).toMatch(/^about 54,\d{3} more rows$/);
  expect(process.cpuUsage(start).user / 1_000).toBeLessThan(100);
});
