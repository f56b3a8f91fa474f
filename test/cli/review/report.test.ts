import { expect, test } from "vitest";
import { Output } from "../../../src/cli/output/output.ts";
import { widthOf } from "../../../src/cli/output/width.ts";
import type { AdversarialReview } from "../../../src/cli/review/adversarial-review.ts";
import { printReview } from "../../../src/cli/review/report.ts";

const review: AdversarialReview = {
  verdict: "needs-attention",
  summary: "It changes how lists are read.\n\nThe rest is as it was.",
  findings: [
    {
      title: "It crashes \u001b[2J on an empty list",
      body: "When the list is empty, the first element is asked for although there is none, and nobody catches that.",
      file: "src/list.ts",
      lineStart: 10,
      lineEnd: 12,
      severity: "critical",
      confidence: 0.95,
      recommendation: "Look at the length before.",
    },
    {
      title: "No test",
      body: "Nothing tries it.",
      file: "src/list.ts",
      lineStart: null,
      lineEnd: null,
      severity: "low",
      confidence: 1,
      recommendation: "",
    },
  ],
  nextSteps: ["Mend the crash."],
};

/** What is written to a stream that is as wide as this, or to a pipe. */
function printed(shown: AdversarialReview, columns?: number): string {
  let text = "";
  const stream = {
    isTTY: columns !== undefined,
    columns: columns ?? 0,
    on: () => stream,
    hasColors: () => false,
    write: (piece: string) => (text += piece),
  };
  printReview(shown, new Output(() => stream as unknown as NodeJS.WriteStream));
  return text;
}

test("a pipe gets each paragraph on one line", () => {
  expect(printed(review)).toBe(`✗ needs attention · 2 findings
  It changes how lists are read.
  The rest is as it was.

critical  It crashes \\x1b[2J on an empty list
  src/list.ts:10-12 · 95 % sure
  ${review.findings[0]!.body}
  → Look at the length before.

low  No test
  src/list.ts · 100 % sure
  Nothing tries it.

next
  • Mend the crash.
`);
});

test("a terminal gets rows that fit it", () => {
  const rows = printed(review, 40).split("\n");
  expect(rows.length).toBeGreaterThan(printed(review).split("\n").length);
  const texts = rows.filter((row) => row.startsWith("  "));
  for (const row of texts) expect(widthOf(row)).toBeLessThanOrEqual(40);
});

test("without findings that is said", () => {
  const good = { ...review, verdict: "approve", findings: [], nextSteps: [] } as const;
  expect(printed(good).split("\n")[0]).toBe("✓ approve · no findings");
});
