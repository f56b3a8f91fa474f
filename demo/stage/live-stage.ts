import { LiveRows, type Row } from "../../src/cli/output/live-rows.ts";
import type { Output } from "../../src/cli/output/output.ts";
import { printableLine } from "../../src/cli/output/printable.ts";
import { symbols } from "../../src/cli/output/symbols.ts";
import { padEnd, truncate, widthOf } from "../../src/cli/output/width.ts";
import { time } from "../figures.ts";
import type { Happening, Lane } from "../lane.ts";
import { clientName, endMark, endText, NAME_WIDTH } from "./looks.ts";
import type { Stage } from "./stage.ts";
import { tailOf } from "./tail.ts";

/** Below this, a row has no room for words. */
export const NARROWEST = 50;
const WIDEST = 110;
/** Words come more often than anybody can read; a row that moves more often only flickers. */
const FRAME_MS = 60;
const SPINNER_MS = 100;
/** For the `^C` that a terminal writes where the cursor stands. */
const SPARE = 3;
const INDENT = "   ";
const TIME_WIDTH = 8;
/** The Linux console has neither of the two lines. */
const [DONE, LEFT] = process.env["TERM"] === "linux" ? ["=", "-"] : ["━", "─"];

/** One row a lane, redrawn where it stands. */
export class LiveStage implements Stage {
  readonly #out: Output;
  readonly #lanes: readonly Lane[];
  readonly #rows: LiveRows;
  readonly #timer: NodeJS.Timeout;
  readonly #unlisten: () => void;

  constructor(out: Output, lanes: readonly Lane[]) {
    this.#out = out;
    this.#lanes = lanes;
    this.#rows = new LiveRows(out);
    this.#timer = setInterval(() => this.#draw(), FRAME_MS);
    this.#unlisten = out.onResize(() => this.#draw());
    this.#draw();
  }

  /** The next frame shows it. */
  happened(_lane: Lane, _what: Happening): void {}

  close(): void {
    clearInterval(this.#timer);
    this.#unlisten();
    this.#rows.commit(this.#lanes.map((lane) => this.#row(lane).painted));
  }

  #draw(): void {
    this.#rows.draw(this.#lanes.map((lane) => this.#row(lane)));
  }

  #row(lane: Lane): Row {
    const width = Math.min(this.#out.columns - SPARE, WIDEST);
    const bar = barWidth(width);
    const name = clientName(this.#out, lane, this.#lanes);
    const head = `${INDENT}${this.#mark(lane)} ${name}  ${this.#bar(lane, bar)}`;
    const room =
      width - INDENT.length - 2 - NAME_WIDTH - 2 - (bar === 0 ? 0 : bar + 2) - TIME_WIDTH;
    const words = padEnd(this.#words(lane, room), room);
    const took = time(lane.tookMs).padStart(TIME_WIDTH);
    const body = lane.latest === "says" || lane.latest === "thinks" ? "dim" : "bold";
    const painted = `${head}${this.#out.paint(lane.over ? "dim" : body, words)}${took}`;
    return { painted, plain: " ".repeat(width) };
  }

  #mark(lane: Lane): string {
    if (lane.over) return endMark(this.#out, lane);
    const frame = Math.floor(lane.tookMs / SPINNER_MS) % symbols.spinner.length;
    return this.#out.paint("cyan", symbols.spinner[frame] ?? " ");
  }

  #bar(lane: Lane, width: number): string {
    if (width === 0) return "";
    const done = Math.round(lane.progress * width);
    const ended = lane.result?.status === "interrupted" ? "yellow" : "green";
    const filled = this.#out.paint(lane.over ? ended : "cyan", DONE.repeat(done));
    return `${filled}${this.#out.paint("dim", LEFT.repeat(width - done))}  `;
  }

  #words(lane: Lane, room: number): string {
    if (lane.over && lane.result?.status !== "completed") return truncate(endText(lane), room);
    const { command } = lane;
    switch (lane.latest) {
      case "stopping":
        return truncate("its user interrupts it", room);
      case "runs":
        return truncate("runs a command", room);
      case "thinks":
        return labelled("thinks: ", lane.text, room);
      default:
        return command === undefined
          ? tailOf(printableLine(lane.text), room)
          : labelled(`$ ${command.command} → ${command.exitCode ?? "?"}  `, lane.text, room);
    }
  }
}

/** As long as there is room for the words beside it. */
function labelled(label: string, text: string, room: number): string {
  const left = room - widthOf(label);
  return left < 12 ? tailOf(printableLine(text), room) : label + tailOf(printableLine(text), left);
}

function barWidth(width: number): number {
  if (width >= 96) return 24;
  return width >= 70 ? 14 : 0;
}
