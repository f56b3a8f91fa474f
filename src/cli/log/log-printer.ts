import { epochLogPath, readEpoch } from "../../lifecycle/epoch-file.ts";
import type { Output } from "../output/output.ts";
import { isAtLeast, renderLogLine, type Level } from "./log-line.ts";
import { LogTail } from "./log-tail.ts";
import { obituaryJson, obituaryLines } from "./obituary.ts";

export interface LogPrinterOptions {
  readonly scopeDir: string;
  readonly epoch: number;
  /** For programs: the lines as they are. */
  readonly raw: boolean;
  /** How many of the lines that are there at the beginning. */
  readonly lines: number;
  /** The least level to print. Without one, every line. */
  readonly level?: Level | undefined;
}

/** Prints the log of one epoch, and its obituary once there is one. */
export class LogPrinter {
  readonly #options: LogPrinterOptions;
  readonly #to: Output;
  readonly #tail: LogTail;
  #writer: number | undefined;
  #begun = false;
  #ended = false;

  constructor(options: LogPrinterOptions, to: Output) {
    this.#options = options;
    this.#to = to;
    this.#tail = new LogTail(epochLogPath(options.scopeDir, options.epoch));
  }

  /** Nothing will be added any more. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Prints what has been added. */
  print(): void {
    if (this.#ended) return;
    const { scopeDir, epoch, lines: wanted } = this.#options;
    // Read before the log: what an ended broker wrote is then all there.
    const reading = readEpoch(scopeDir, epoch);
    const record =
      reading?.state === "read" && reading.record.state === "ended" ? reading.record : undefined;
    if (reading?.state === "read" && reading.record.state !== "claimed") {
      this.#writer = reading.record.broker?.pid;
    }
    const added = this.#tail.read();
    if (record !== undefined) added.push(...this.#tail.end());
    const { level } = this.#options;
    const lines = level === undefined ? added : added.filter((line) => isAtLeast(line, level));
    if (this.#begun) this.#printLines(lines);
    else this.#printLines(wanted < lines.length ? lines.slice(-wanted) : lines);
    this.#begun = true;
    if (record === undefined) return;
    this.#ended = true;
    if (this.#options.raw) this.#to.json(obituaryJson(record));
    else for (const line of obituaryLines(record, this.#to)) this.#to.line(line);
  }

  #printLines(lines: readonly string[]): void {
    for (const line of lines) {
      if (this.#options.raw) this.#to.foreign(`${line}\n`);
      else this.#to.line(renderLogLine(line, this.#writer, this.#to));
    }
  }
}
