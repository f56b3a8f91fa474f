import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

interface Row {
  readonly text: string;
  readonly cells: readonly string[];
}

/** The rows of all tables, without their heads. */
const rows: readonly Row[] = readFileSync("docs/comparison.md", "utf8")
  .split(/\n## /)
  .flatMap((section) => section.split("\n").filter((line) => line.startsWith("| ")))
  .filter((line) => !line.startsWith("| there "))
  .map((text) => ({
    text,
    cells: text
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim()),
  }));

test("every row has four cells, and says same, better and how, or left out and why", () => {
  expect(rows.length).toBeGreaterThan(60);
  const odd = rows.filter(
    ({ cells }) => cells.length !== 4 || !/^(same|(better|left out): .+)$/.test(cells[2] ?? ""),
  );
  expect(odd).toEqual([]);
});

test("every row links to tests that exist, and to nothing else", () => {
  const wrong = rows.flatMap(({ text, cells }) => {
    const links = [...(cells[3] ?? "").matchAll(/\[[^\]]+\]\(([^)]+)\)/g)].map(([, to]) => to!);
    if (links.length === 0) return [text];
    return links.filter((link) => !link.endsWith(".test.ts") || !existsSync(join("docs", link)));
  });
  expect(wrong).toEqual([]);
});
