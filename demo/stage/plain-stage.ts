import type { Output } from "../../src/cli/output/output.ts";
import { printableLine } from "../../src/cli/output/printable.ts";
import { widthOf } from "../../src/cli/output/width.ts";
import { time } from "../figures.ts";
import type { Happening, Lane } from "../lane.ts";
import { clientName, commandText, endMark, endText, NAME_WIDTH } from "./looks.ts";
import type { Stage } from "./stage.ts";

/** Long enough to be read, short enough for the streams to be seen side by side. */
const PIECE_WIDTH = 54;
const NARROWEST_PIECE = 16;
const INDENT = "   ";
const GAP = "  ";
const TIME_WIDTH = 8;

interface Piece {
  readonly kind: "thinks" | "says";
  text: string;
}

/** One line for every few words of a stream: for logs, and for a terminal that is too narrow. */
export class PlainStage implements Stage {
  readonly #out: Output;
  readonly #lanes: readonly Lane[];
  readonly #pieces = new Map<Lane, Piece>();

  constructor(out: Output, lanes: readonly Lane[]) {
    this.#out = out;
    this.#lanes = lanes;
  }

  happened(lane: Lane, what: Happening): void {
    switch (what.kind) {
      case "thinks":
      case "says":
        return this.#gather(lane, what.kind, what.text);
      case "runs":
        return this.#say(lane, `$ ${what.command}`);
      case "ran":
        return this.#say(lane, commandText(what.command));
      case "stopping":
        return this.#say(lane, "its user interrupts it");
      case "ended":
        return this.#say(lane, `${endMark(this.#out, lane)} ${endText(lane)}`);
    }
  }

  close(): void {
    for (const lane of this.#lanes) this.#flush(lane);
  }

  #gather(lane: Lane, kind: Piece["kind"], text: string): void {
    const before = this.#pieces.get(lane);
    const fits = before === undefined || widthOf(before.text + text) <= this.#pieceWidth();
    if (before?.kind !== kind || !fits) this.#flush(lane);
    const piece = this.#pieces.get(lane) ?? { kind, text: kind === "thinks" ? "(thinks) " : "" };
    piece.text += text;
    this.#pieces.set(lane, piece);
  }

  #pieceWidth(): number {
    const room = this.#out.columns - INDENT.length - TIME_WIDTH - NAME_WIDTH - 2 * GAP.length - 1;
    return Math.min(PIECE_WIDTH, Math.max(NARROWEST_PIECE, room));
  }

  #say(lane: Lane, text: string): void {
    this.#flush(lane);
    this.#line(lane, text);
  }

  #flush(lane: Lane): void {
    const piece = this.#pieces.get(lane);
    if (piece === undefined) return;
    this.#pieces.delete(lane);
    const text = printableLine(piece.text);
    this.#line(lane, this.#out.paint("dim", text));
  }

  #line(lane: Lane, text: string): void {
    const at = time(lane.tookMs).padStart(TIME_WIDTH);
    const name = clientName(this.#out, lane, this.#lanes);
    this.#out.line(`${INDENT}${at}${GAP}${name}${GAP}${text}`);
  }
}
