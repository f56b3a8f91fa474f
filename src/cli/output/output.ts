import { setImmediate } from "node:timers/promises";
import { styleText } from "node:util";
import { errnoOf } from "../../base/errors.ts";
import { printable } from "./printable.ts";

export type Paint = Parameters<typeof styleText>[0];

/** The reader has gone: `| head`. */
const GONE = new Set(["EPIPE", "ECONNRESET", "ERR_STREAM_DESTROYED", "ERR_STREAM_WRITE_AFTER_END"]);
/** A terminal that was closed. From a file it means that the disk is broken. */
const GONE_TERMINAL = "EIO";

/** A standard stream of this process, with what is known of who reads it. */
export class Output {
  readonly #open: () => NodeJS.WriteStream;
  #opened: NodeJS.WriteStream | undefined;
  #gone = false;
  #failure: Error | undefined;
  #onGone: () => void = () => {};

  /** @param open Called on first use: to open a stream costs milliseconds, and not all are written to. */
  constructor(open: () => NodeJS.WriteStream) {
    this.#open = open;
  }

  get isTerminal(): boolean {
    return this.#stream.isTTY;
  }

  /** Whether what was written can be taken back. */
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
    // Knows NO_COLOR, FORCE_COLOR, NODE_DISABLE_COLORS and TERM=dumb.
    const colours = this.isTerminal && this.#stream.hasColors();
    return colours ? styleText(format, text, { validateStream: false }) : text;
  }

  write(text: string): void {
    if (!this.#gone) this.#stream.write(text);
  }

  line(text = ""): void {
    this.write(`${text}\n`);
  }

  /** A text of somebody else: made harmless for a terminal, and left as it is for anything else. */
  foreign(text: string): void {
    this.write(this.isTerminal ? printable(text) : text);
  }

  /** One object, on one line for programs and on several for people. */
  json(value: unknown, pretty = false): void {
    this.foreign(`${JSON.stringify(value, null, pretty ? 2 : 0)}\n`);
  }

  /** Returns its own undo. */
  onResize(listener: () => void): () => void {
    this.#stream.on("resize", listener);
    return () => void this.#stream.off("resize", listener);
  }

  whenReaderGoes(listener: () => void): void {
    this.#onGone = listener;
    if (this.#gone) listener();
  }

  /**
   * Resolves when all that was written has left this process, or never will: with the error that lost a
   * part of it, a full disk for example. A reader that has gone is no error.
   */
  async flushed(): Promise<Error | undefined> {
    const stream = this.#opened;
    if (stream === undefined || this.#gone) return this.#failure;
    await new Promise<void>((resolve) => stream.write("", () => resolve()));
    // The error of a write is emitted after its callback.
    await setImmediate();
    return this.#failure;
  }

  get #stream(): NodeJS.WriteStream {
    if (this.#opened !== undefined) return this.#opened;
    const stream = this.#open();
    // Without a listener, a reader that goes away would end the process with a stack trace.
    stream.on("error", (error) => {
      const code = errnoOf(error) ?? "";
      const gone = GONE.has(code) || (code === GONE_TERMINAL && stream.isTTY);
      if (!gone) this.#failure ??= error;
      if (this.#gone) return;
      // A stream that has lost a part takes nothing more: what follows would look like the whole.
      this.#gone = true;
      this.#onGone();
    });
    this.#opened = stream;
    return stream;
  }
}

/** For results. */
export const out = new Output(() => process.stdout);

/** For everything that is said about the way to a result. */
export const err = new Output(() => process.stderr);
