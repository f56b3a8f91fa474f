import { isWrong, type Severity } from "../../doctor/finding.ts";
import type { MendedFinding } from "../../doctor/mend.ts";
import type { Observations } from "../../doctor/observations.ts";
import { BROKER_VERSION } from "../../base/version.ts";
import { counted } from "../output/amounts.ts";
import type { Output, Paint } from "../output/output.ts";
import { printableLine } from "../output/printable.ts";
import { symbols } from "../output/symbols.ts";
import { wrap } from "../output/width.ts";

const INDENT = "  ";
/** Longer lines read badly. */
const WIDEST = 100;

const MARKS: Readonly<Record<Severity, readonly [symbol: string, paint: Paint]>> = {
  error: [symbols.failed, "red"],
  warning: [symbols.warning, "yellow"],
  note: [symbols.note, "cyan"],
};

/** One finding as a paragraph: what it is, then what was done about it or what to type. */
export function* findingLines({ finding, mended }: MendedFinding, to: Output): Generator<string> {
  const [symbol, paint] = MARKS[finding.severity];
  yield* paragraph(to.paint(paint, symbol), finding.message, to);
  if (mended?.done === true) {
    yield* indented(to.paint("green", symbols.ok), mended.did, to, "green");
  } else {
    if (mended !== undefined) {
      yield* indented(to.paint("red", symbols.failed), mended.did, to, "red");
    }
    yield* indented(to.paint("dim", "→"), finding.next, to, "dim");
  }
  yield "";
}

export function summaryLine(report: readonly MendedFinding[], to: Output): string {
  const wrong = report.filter(({ finding }) => isWrong(finding));
  const left = wrong.filter(({ mended }) => mended?.done !== true);
  const notes = report.length - wrong.length;
  const remarks = notes === 0 ? "" : to.paint("dim", ` · ${counted(notes, "note")}`);
  if (left.length === 0) {
    const words =
      wrong.length === 0 ? "nothing is wrong" : `${counted(wrong.length, "problem")} settled`;
    return `${to.paint("green", `${symbols.ok} ${words}`)}${remarks}`;
  }
  const settled = wrong.length - left.length;
  const fixable = left.filter(({ finding, mended }) => finding.remedy && mended === undefined);
  const facts = [
    ...(settled === 0 ? [] : [`${settled} settled`]),
    ...(fixable.length === 0 ? [] : [`${fixable.length} for codex-broker doctor --fix`]),
  ];
  const more = facts.length === 0 ? "" : to.paint("dim", ` · ${facts.join(" · ")}`);
  return `${to.paint("bold", counted(left.length, "problem"))}${more}${remarks}`;
}

/** What was looked at and found in order. */
export function* healthLines(
  { surroundings, ground, scopes }: Observations,
  to: Output,
): Generator<string> {
  const { codex, node } = surroundings;
  const brokers = scopes
    .flatMap(({ epochs }) => epochs)
    .filter(({ serving }) => serving?.contact?.kind === "hello").length;
  const answering =
    brokers === 0
      ? "no broker is running"
      : `${counted(brokers, "broker")} ${brokers === 1 ? "answers" : "answer"}`;
  const { stateDir } = ground;
  const place = stateDir.state === "chosen" ? [`state in ${stateDir.path}`] : [];
  const facts: Array<readonly string[]> = [[answering, ...place]];
  if (codex.found) facts.push([`codex ${codex.version ?? "of unknown version"}`, codex.path]);
  facts.push([`codex-broker ${BROKER_VERSION}`, `node ${node}`]);
  for (const each of facts) {
    yield to.paint("dim", `${INDENT}${each.map((fact) => printableLine(fact)).join(" · ")}`);
  }
}

function* paragraph(mark: string, text: string, to: Output): Generator<string> {
  const [first = "", ...rest] = rows(text, INDENT.length, to);
  yield `${mark} ${first}`;
  for (const row of rest) yield `${INDENT}${row}`;
}

function* indented(mark: string, text: string, to: Output, paint: Paint): Generator<string> {
  const [first = "", ...rest] = rows(text, 2 * INDENT.length, to);
  yield `${INDENT}${mark} ${to.paint(paint, first)}`;
  for (const row of rest) yield `${INDENT}${INDENT}${to.paint(paint, row)}`;
}

/** A pipe gets a finding on one line, to be searched. */
function rows(text: string, indent: number, to: Output): readonly string[] {
  const line = printableLine(text);
  return to.isTerminal ? wrap(line, Math.min(to.columns, WIDEST) - indent) : [line];
}
