import type { Output } from "./output.ts";
import { widthOf } from "./width.ts";

/** Rows that fit into a narrower terminal are not folded when it gets narrower; and longer ones read badly. */
const WIDEST_ROW = 100;

const NO_WRAP = "\u001b[?7l";
const WRAP = "\u001b[?7h";
const ERASE_LINE_END = "\u001b[K";
const ERASE_BELOW = "\u001b[J";

/**
 * A terminal that gets narrower folds the rows that are there. tmux does so a while before it says so
 * to the program; what was drawn meanwhile it has cut off, so that there is nothing to unfold.
 */
const FOLDS = process.env["TMUX"] === undefined;

/** A row in two forms: as it is written, and without colours, to be measured. */
export interface Row {
  readonly painted: string;
  readonly plain: string;
}

/**
 * The last rows of a terminal, drawn again and again below lines that stay. Between two drawings the
 * cursor stands at the end of the last row, so a process that is killed leaves a terminal in order.
 */
export class LiveRows {
  readonly #to: Output;
  #frame = "";
  #widths: readonly number[] = [];

  constructor(to: Output) {
    this.#to = to;
  }

  /** A row may be as wide as this: one column less than the terminal, and never so wide that it folds often. */
  get columns(): number {
    return Math.min(this.#to.columns - 1, WIDEST_ROW);
  }

  draw(rows: readonly Row[]): void {
    const frame = rows.map(({ painted }) => painted).join(`${ERASE_LINE_END}\r\n`);
    if (frame === this.#frame) return;
    this.#to.write(`${this.#home()}${NO_WRAP}${frame}${WRAP}${ERASE_BELOW}`);
    this.#remember(frame, rows);
  }

  /** Writes lines that stay where they are. The rows have to be drawn again below them. */
  commit(lines: readonly string[]): void {
    if (lines.length === 0) return;
    this.#to.write(`${this.#home()}${ERASE_BELOW}${lines.join("\n")}\n`);
    this.#remember("", []);
  }

  clear(): void {
    if (this.#frame !== "") this.#to.write(`${this.#home()}${ERASE_BELOW}`);
    this.#remember("", []);
  }

  /** Whatever was drawn is not where it was: somebody else has written to the terminal. */
  forget(): void {
    this.#remember("", []);
  }

  /** To the beginning of the first row. */
  #home(): string {
    const { columns } = this.#to;
    const rowsOf = (width: number): number => (FOLDS ? Math.max(1, Math.ceil(width / columns)) : 1);
    const up = this.#widths.reduce((sum, width) => sum + rowsOf(width), 0) - 1;
    return up > 0 ? `\r\u001b[${up}A` : "\r";
  }

  #remember(frame: string, rows: readonly Row[]): void {
    this.#frame = frame;
    this.#widths = rows.map(({ plain }) => widthOf(plain));
  }
}
