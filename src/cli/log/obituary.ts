import type { EndedRecord } from "../../lifecycle/epoch-file.ts";
import type { Output } from "../output/output.ts";
import { printable, printableLine } from "../output/printable.ts";

/** Why a broker ended, for programs. The record's secret is not among it. */
export function obituaryJson({ epoch, reason, at, exit, error, stderrTail }: EndedRecord): object {
  return { obituary: { epoch, reason, at, exit, error, stderrTail } };
}

/** Why a broker ended, for people: the reason, then what the app-server left behind. */
export function obituaryLines(record: EndedRecord, to: Output): string[] {
  const { epoch, reason, at, exit, error, stderrTail } = record;
  const paint = error === null ? "dim" : "red";
  const lines = [`${to.paint(paint, `■ epoch ${epoch} ended`)} ${to.paint("dim", localTime(at))}`];
  const add = (label: string, value: string): void => {
    lines.push(`  ${to.paint("dim", label.padEnd(12))}${value}`);
  };
  add("reason", printableLine(reason));
  if (exit !== null) add("app-server", exit.signal ?? `exit code ${exit.code ?? "unknown"}`);
  if (error !== null) add("next", printableLine(error.hint));
  if (stderrTail.trim() !== "") {
    add("stderr", "the last that the app-server said:");
    for (const line of printable(stderrTail.trimEnd()).split("\n")) {
      lines.push(`    ${to.paint("dim", line)}`);
    }
  }
  return lines;
}

export function localTime(iso: string): string {
  const at = new Date(iso);
  return Number.isNaN(at.getTime()) ? printableLine(iso) : at.toLocaleString("sv-SE");
}
