import { counted } from "../output/amounts.ts";
import type { Output, Paint } from "../output/output.ts";
import { printableLine } from "../output/printable.ts";
import { symbols } from "../output/symbols.ts";
import { wrap } from "../output/width.ts";
import type { AdversarialReview, ReviewFinding, Severity } from "./adversarial-review.ts";

const INDENT = "  ";
/** Longer lines read badly. */
const WIDEST = 100;

const LOOKS: Readonly<Record<Severity, Paint>> = {
  critical: ["bold", "red"],
  high: "red",
  medium: "yellow",
  low: "cyan",
};

/** The verdict, the findings from the worst on, and what to do. */
export function printReview(
  { verdict, summary, findings, nextSteps }: AdversarialReview,
  to: Output,
): void {
  const good = verdict === "approve";
  const mark = good ? to.paint("green", symbols.ok) : to.paint("red", symbols.failed);
  const words = good ? "approve" : "needs attention";
  const count = findings.length === 0 ? "no findings" : counted(findings.length, "finding");
  to.line(`${mark} ${to.paint("bold", words)} ${to.paint("dim", `· ${count}`)}`);
  printText(summary, 1, to);
  for (const finding of findings) printFinding(finding, to);
  if (nextSteps.length === 0) return;
  to.line(`\n${to.paint("bold", "next")}`);
  for (const step of nextSteps) printText(step, 1, to, symbols.note);
}

function printFinding(finding: ReviewFinding, to: Output): void {
  const { severity, title, body, confidence, recommendation } = finding;
  to.line();
  to.line(`${to.paint(LOOKS[severity], severity)}  ${to.paint("bold", printableLine(title))}`);
  const sure = `${Math.round(confidence * 100)} % sure`;
  to.line(`${INDENT}${printableLine(placeOf(finding))} ${to.paint("dim", `· ${sure}`)}`);
  printText(body, 1, to);
  if (recommendation !== "") printText(recommendation, 1, to, "→");
}

/** As editors and terminals understand it. */
function placeOf({ file, lineStart, lineEnd }: ReviewFinding): string {
  if (lineStart === null) return file;
  if (lineEnd === null || lineEnd <= lineStart) return `${file}:${lineStart}`;
  return `${file}:${lineStart}-${lineEnd}`;
}

/** A pipe gets each paragraph on one line, to be searched. */
function printText(text: string, depth: number, to: Output, mark?: string): void {
  const indent = INDENT.repeat(depth);
  const hang = mark === undefined ? indent : `${indent}${INDENT}`;
  const columns = Math.min(to.columns, WIDEST) - hang.length;
  const rows = text
    .split(/\n+/)
    .map((paragraph) => printableLine(paragraph))
    .filter((paragraph) => paragraph !== "")
    .flatMap((paragraph) => (to.isTerminal ? wrap(paragraph, columns) : [paragraph]));
  for (const [index, row] of rows.entries()) {
    to.line(index === 0 && mark !== undefined ? `${indent}${mark} ${row}` : `${hang}${row}`);
  }
}
