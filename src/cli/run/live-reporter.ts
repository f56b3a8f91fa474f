import { monotonicMs } from "../../base/deadline.ts";
import type { TurnEvent } from "../../client/turn-event.ts";
import type { TurnResult } from "../../client/turn.ts";
import type { Line, Page, PageSize } from "../ask/dialogue.ts";
import { claimRow } from "../ask/pages.ts";
import type { QuestionDisplay } from "../ask/terminal-dialogue.ts";
import { duration } from "../output/amounts.ts";
import { LiveRows, type Row } from "../output/live-rows.ts";
import type { Output, Paint } from "../output/output.ts";
import { printable, printableLine } from "../output/printable.ts";
import { symbols } from "../output/symbols.ts";
import { truncate, widthOf, wrap } from "../output/width.ts";
import { Activity, type Note } from "./activity.ts";
import type { Answered } from "./approvals.ts";
import type { Reporter } from "./reporter.ts";
import { usageText } from "./usage-text.ts";
import type { Outcome } from "./work.ts";

/** Fast enough to look alive, slow enough not to cost anything. */
const FRAME_MS = 100;
const TAIL_ROWS = 3;
/** A message that was not the last one is shown, but does not fill the screen. */
const SAID_ROWS = 12;
const INDENT = "  ";
const QUESTION = "?";

const OUTCOME_LOOKS: Readonly<Record<Outcome["state"], readonly [symbol: string, paint: Paint]>> = {
  ok: [symbols.ok, "green"],
  failed: [symbols.failed, "red"],
  declined: [symbols.declined, "yellow"],
};

const LOOKS: Readonly<Record<NonNullable<Line["look"]>, Paint>> = {
  added: "green",
  removed: "red",
  aside: "dim",
};

/** A terminal: what is done scrolls by, and below it stands what is being done. */
export class LiveReporter implements Reporter, QuestionDisplay {
  readonly #to: Output;
  readonly #messageFollows: boolean;
  readonly #rows: LiveRows;
  readonly #activity = new Activity();
  readonly #startedAt = monotonicMs();
  readonly #undo: Array<() => void> = [];
  #preparing: string | undefined = "connecting";
  #interrupting: string | undefined;
  #prompt: string | undefined;
  /** A question is on the screen: lines are held back, so that no text stands between it and its keys. */
  #asking = false;
  readonly #heldBack: string[] = [];
  #over = false;

  /** @param messageFollows Whether the final message comes to the same terminal. */
  constructor(to: Output, messageFollows: boolean) {
    this.#to = to;
    this.#messageFollows = messageFollows;
    this.#rows = new LiveRows(to);
    const timer = setInterval(() => this.#draw(), FRAME_MS).unref();
    const resumed = (): void => this.#rows.forget();
    process.on("SIGCONT", resumed);
    this.#undo.push(
      () => clearInterval(timer),
      () => process.off("SIGCONT", resumed),
      to.onResize(() => this.#draw()),
    );
    this.#draw();
  }

  preparing(what: string): void {
    this.#preparing = what;
    this.#draw();
  }

  event(event: TurnEvent): void {
    this.#preparing = undefined;
    this.#commit(this.#activity.observe(event).flatMap((note) => this.#noteLines(note)));
  }

  answered({ decision, wish }: Answered): void {
    const [symbol, paint] = OUTCOME_LOOKS[decision === "accepted" ? "ok" : "declined"];
    this.#commit([
      this.#to.paint(paint, this.#fit(`${symbol} ${decision}: ${printableLine(wish)}`)),
    ]);
  }

  get pageSize(): PageSize {
    return { columns: this.#to.columns - 3, rows: this.#to.rows };
  }

  question({ claims, details, heading, summary }: Page): void {
    const bar = this.#to.paint("yellow", symbols.bar);
    const { columns } = this.pageSize;
    this.#asking = true;
    if (this.#over) return;
    this.#rows.commit([
      ...claims.map((claim) => this.#to.paint("dim", claimRow(claim, columns))),
      ...details.map((line) => `${bar} ${this.#painted(line)}`),
      this.#to.paint("yellow", this.#fit(`${QUESTION} ${heading}`)),
      ...summary.map((line) => `${bar} ${this.#painted(line)}`),
    ]);
    this.#draw();
  }

  questionOver(): void {
    this.#asking = false;
    this.#commit(this.#heldBack.splice(0));
    this.#draw();
  }

  onResize(listener: () => void): () => void {
    return this.#to.onResize(listener);
  }

  prompt(text: string | undefined): void {
    this.#prompt = text;
    this.#draw();
  }

  interrupting(why: string): void {
    this.#interrupting = why;
    this.#draw();
  }

  ended({ status, durationMs, message }: TurnResult): void {
    this.gone();
    if (status !== "completed") return this.#to.write(this.#saidLines(message).map(ended).join(""));
    const usage = usageText(this.#activity.usage);
    const text = `${symbols.ok} done in ${duration(durationMs)}${usage === "" ? "" : ` · ${usage}`}`;
    this.#to.line(this.#to.paint("dim", this.#fit(text)));
    if (message !== "" && this.#messageFollows) this.#to.line();
  }

  gone(): void {
    if (this.#over) return;
    this.#over = true;
    for (const step of this.#undo) step();
    this.#rows.clear();
  }

  #commit(lines: readonly string[]): void {
    if (this.#over) return;
    if (this.#asking) return void this.#heldBack.push(...lines);
    this.#rows.commit(lines);
    if (lines.length > 0) this.#draw();
  }

  #draw(): void {
    if (this.#over) return;
    this.#rows.draw(
      this.#asking || this.#prompt !== undefined
        ? this.#promptRows()
        : [this.#statusRow(), ...this.#tailRows()],
    );
  }

  #promptRows(): Row[] {
    const text = printable(this.#prompt ?? "").replaceAll("\n", " ");
    return wrap(`${QUESTION} ${text}`, this.#rows.columns).map((row) => ({
      painted: this.#to.paint("bold", row),
      plain: row,
    }));
  }

  /** The text is a row of a page: harmless, and no wider than the screen. */
  #painted({ text, look }: Line): string {
    return look === undefined ? text : this.#to.paint(LOOKS[look], text);
  }

  #statusRow(): Row {
    const elapsedMs = monotonicMs() - this.#startedAt;
    const frame = Math.floor(elapsedMs / FRAME_MS) % symbols.spinner.length;
    const spinner = symbols.spinner[frame] ?? "";
    const head = `${spinner} ${duration(elapsedMs)}  `;
    const usage = usageText(this.#activity.usage);
    const room = this.#rows.columns - widthOf(head);
    const what = truncate(this.#what(), room);
    const shownUsage =
      usage !== "" && widthOf(what) + widthOf(usage) + 3 <= room ? ` · ${usage}` : "";
    const colour = this.#interrupting === undefined ? "cyan" : "yellow";
    return {
      painted: `${this.#to.paint(colour, head)}${what}${this.#to.paint("dim", shownUsage)}`,
      plain: `${head}${what}${shownUsage}`,
    };
  }

  #what(): string {
    if (this.#interrupting !== undefined) return this.#interrupting;
    if (this.#preparing !== undefined) return this.#preparing;
    const { doing, subject } = this.#activity.now;
    return printableLine(`${doing} ${subject}`);
  }

  #tailRows(): Row[] {
    const columns = this.#rows.columns - INDENT.length;
    const rows = wrap(printable(this.#activity.tail.trimEnd()).replaceAll("\t", "  "), columns);
    const shown = rows.slice(-Math.max(1, Math.min(TAIL_ROWS, this.#to.rows - 3)));
    return shown
      .filter((row) => row !== "")
      .map((row) => ({ painted: INDENT + this.#to.paint("dim", row), plain: INDENT + row }));
  }

  #noteLines(note: Note): string[] {
    switch (note.kind) {
      case "thread": {
        const resumed = note.resumed ? " resumed" : "";
        const text = `thread ${note.threadId}${resumed} · ${note.model} · ${note.cwd}`;
        return [this.#to.paint("dim", this.#fit(printableLine(text)))];
      }
      case "begun":
        return [];
      case "ended":
        return [this.#outcomeLine(note)];
      case "said":
        return this.#saidLines(note.text);
      case "warning":
        return [this.#to.paint("yellow", this.#fit(`! ${printableLine(note.text)}`))];
    }
  }

  #outcomeLine({ work, outcome }: Extract<Note, { kind: "ended" }>): string {
    const [symbol, paint] = OUTCOME_LOOKS[outcome.state];
    const time = outcome.durationMs === null ? "" : ` · ${duration(outcome.durationMs)}`;
    const result = `  ${outcome.words}${time}`;
    const what = printableLine(
      work.doing === "running" ? work.subject : `${work.doing} ${work.subject}`,
    );
    const room = this.#to.columns - 1 - widthOf(symbol) - 1 - widthOf(result);
    return `${this.#to.paint(paint, symbol)} ${truncate(what, room)}${this.#to.paint("dim", result)}`;
  }

  #saidLines(text: string): string[] {
    if (text === "") return [];
    const rows = wrap(printable(text.trimEnd()).replaceAll("\t", "  "), this.#to.columns - 3);
    const shown = rows.length > SAID_ROWS ? [...rows.slice(0, SAID_ROWS - 1), "…"] : rows;
    return shown.map((row) => `${this.#to.paint("dim", symbols.bar)} ${row}`);
  }

  #fit(line: string): string {
    return truncate(line, this.#to.columns - 1);
  }
}

function ended(line: string): string {
  return `${line}\n`;
}
