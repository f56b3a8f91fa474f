import { styleText } from "node:util";
import { errnoOf } from "../../base/errors.ts";
import { printable } from "./printable.ts";

export type Paint = Parameters<typeof styleText>[0];

/** The reader has gone: `| head`, a closed terminal. */
const GONE = new Set(["EPIPE", "EIO", "ECONNRESET", "ERR_STREAM_DESTROYED"]);

/** A standard stream of this process, with what is known of who reads it. */
export class Output {
  readonly #stream: NodeJS.WriteStream;
  readonly #colours: boolean;
  #onGone: () => void = () => {};
  #gone = false;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
    // Knows NO_COLOR, FORCE_COLOR, NODE_DISABLE_COLORS and TERM=dumb.
    this.#colours = stream.isTTY && stream.hasColors();
  }

  get isTerminal(): boolean {
    return this.#stream.isTTY;
  }

  /** Whether lines that were written can be taken back. */
  get canRedraw(): boolean {
    return this.isTerminal && process.env["TERM"] !== "dumb";
  }

  get columns(): number {
    return this.isTerminal && this.#stream.columns > 0 ? this.#stream.columns : 80;
  }

  get rows(): number {
    return this.isTerminal && this.#stream.rows > 0 ? this.#stream.rows : 24;
  }

  paint(format: Paint, text: string): string {
    return this.#colours ? styleText(format, text, { validateStream: false }) : text;
  }

  write(text: string): void {
    if (!this.#gone) this.#stream.write(text);
  }

  line(text = ""): void {
    this.write(`${text}\n`);
  }

  /** A text of somebody else: made harmless for a terminal, and as it is for anything else. */
  foreign(text: string): void {
    this.write(this.isTerminal ? printable(text) : text);
  }

  onResize(listener: () => void): () => void {
    this.#stream.on("resize", listener);
    return () => this.#stream.off("resize", listener);
  }

  /** Without this, a reader that goes away would end the process with a stack trace. */
  expectReaderToGo(onGone: () => void = () => {}): void {
    this.#onGone = onGone;
    this.#stream.on("error", (error) => {
      if (!GONE.has(errnoOf(error) ?? "")) throw error;
      if (this.#gone) return;
      this.#gone = true;
      this.#onGone();
    });
  }

  whenReaderGoes(onGone: () => void): void {
    if (this.#gone) onGone();
    else this.#onGone = onGone;
  }

  /** Resolves when all that was written has left this process, or never will. */
  flushed(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#gone || this.#stream.writableLength === 0) return resolve();
      this.#stream.once("error", () => resolve());
      this.#stream.write("", () => resolve());
    });
  }
}
