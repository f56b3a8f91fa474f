import type { Output, Paint } from "../src/cli/output/output.ts";
import { padEnd, widthOf, wrap } from "../src/cli/output/width.ts";
import { time } from "./figures.ts";

const INDENT = "   ";
const LABEL_WIDTH = 11;
const TIME_WIDTH = 8;
/** Lines longer than this are hard to read, however wide the terminal is. */
const WIDEST = 100;

export interface TableRow {
  readonly label: string;
  readonly value: string;
  readonly unit: string;
  readonly remark?: string;
}

/** What stays on the screen, line by line. */
export class Page {
  readonly out: Output;

  constructor(out: Output) {
    this.out = out;
  }

  heading(text: string, ...more: readonly string[]): void {
    this.out.line();
    this.#wrapped(" ", text, "bold");
    for (const each of more) this.#wrapped(" ", each, "dim");
  }

  title(act: number, text: string): void {
    this.out.line();
    this.#wrapped(` ${act} `, text, "bold");
  }

  /** Something that was reached, and how long after the beginning. */
  step(ms: number, text: string): void {
    const at = time(ms).padStart(TIME_WIDTH);
    this.#wrapped(`${INDENT}${this.out.paint("cyan", at)}  `, text, undefined, 5 + TIME_WIDTH);
  }

  fact(label: string, text: string): void {
    const head = `${INDENT}${this.out.paint("dim", padEnd(label, LABEL_WIDTH))}`;
    this.#wrapped(head, text, undefined, 3 + LABEL_WIDTH);
  }

  line(text: string, paint?: Paint): void {
    this.#wrapped(INDENT, text, paint);
  }

  /** To be copied, hence never broken by us. */
  verbatim(text: string): void {
    this.out.line(`${INDENT}${this.out.paint("cyan", text)}`);
  }

  blank(): void {
    this.out.line();
  }

  /** Figures and their units stand one below the other; a remark goes where there is no room for it. */
  table(rows: readonly TableRow[]): void {
    const width = (of: (row: TableRow) => string): number =>
      Math.max(...rows.map((row) => widthOf(of(row))));
    const labels = width((row) => row.label);
    const values = width((row) => row.value);
    const units = width((row) => row.unit);
    const used = INDENT.length + labels + 3 + values + 1 + units + 3;
    for (const { label, value, unit, remark = "" } of rows) {
      const figure = `${value.padStart(values)} ${unit.padStart(units)}`;
      const fits = !this.out.isTerminal || used + widthOf(remark) < this.out.columns;
      const shown = remark !== "" && fits ? `   ${this.out.paint("dim", remark)}` : "";
      const name = padEnd(label, labels);
      this.out.line(`${INDENT}${name}   ${this.out.paint("bold", figure)}${shown}`);
    }
  }

  /** Broken at spaces on a terminal; a log has lines of any length. */
  #wrapped(head: string, text: string, paint?: Paint, headWidth = widthOf(head)): void {
    const columns = Math.min(this.out.columns - 1, WIDEST) - headWidth;
    const rows = this.out.isTerminal && columns > 10 ? wrap(text, columns) : [text];
    for (const [index, row] of rows.entries()) {
      const before = index === 0 ? head : " ".repeat(headWidth);
      this.out.line(before + (paint === undefined ? row : this.out.paint(paint, row)));
    }
  }
}
