import type { Readable, Writable } from "node:stream";
import type { Line, LongLine, TextLine } from "./line.ts";
import { LineSplitter } from "./line-splitter.ts";
import { atTurnEnd } from "./turn-end.ts";

/** For what is queued when this side closes. A peer that takes nothing for so long loses it. */
const CLOSE_WITHIN_MS = 10_000;

/** As much as a pipe holds: to gather more saves no write. */
const FULL_BATCH_BYTES = 64 * 1024;

const NEWLINE = Buffer.from("\n");

export interface Streams {
  readonly readable: Readable;
  readonly writable: Writable;
}

export interface LineChannelEvents {
  onLine(line: Buffer): void;
  onOversizedLine(limitBytes: number, head: Buffer): void;
  /** Called when more bytes, or none any more, wait for the end of their line. */
  onUnfinished?(bytes: number): void;
  /** Called once, when either direction has ended. `cause` is absent after an orderly end. */
  onEnd(cause: Error | undefined): void;
}

/** Lines in, lines out, over any pair of byte streams. Knows nothing of what the lines mean. */
export class LineChannel {
  readonly #streams: Streams;
  readonly #events: LineChannelEvents;
  readonly #splitter: LineSplitter;
  #ended = false;
  #closing = false;
  #destroyed = false;
  /** What was sent in this turn of the event loop and has not been written, a character for each byte. */
  #batch = "";
  readonly #flushBatch = (): void => this.#flush();

  constructor(streams: Streams, events: LineChannelEvents, maxLineBytes: number) {
    this.#streams = streams;
    this.#events = events;
    // One piece may hold many lines, and the first of them may be the end of it all. The end of the
    // other direction alone is not: what a child has written before it ended is still read.
    this.#splitter = new LineSplitter(
      {
        onLine: (line) => (this.#destroyed ? undefined : events.onLine(line)),
        onOversizedLine: (limit, head) =>
          this.#destroyed ? undefined : events.onOversizedLine(limit, head),
      },
      maxLineBytes,
    );
    const { readable, writable } = streams;
    readable.on("data", (chunk: Buffer) => this.#receive(chunk));
    readable.on("end", () => this.#end(undefined));
    readable.on("close", () => {
      this.dropUnfinished();
      this.#end(undefined);
    });
    readable.on("error", (error) => this.#end(error));
    if (writable === (readable as unknown)) return;
    writable.on("error", (error) => this.#end(error));
    writable.on("close", () => this.#end(undefined));
  }

  get ended(): boolean {
    return this.#ended;
  }

  limitLines(maxLineBytes: number): void {
    this.#splitter.limitLines(maxLineBytes);
  }

  /** Forgets the line that has begun to come, the rest of it included. */
  dropUnfinished(): void {
    this.#splitter.dropUnfinished();
    this.#events.onUnfinished?.(0);
  }

  /** Bytes written that the other side has not taken yet. */
  get queuedBytes(): number {
    return this.#streams.writable.writableLength + this.#batch.length;
  }

  /** Writes the line and its newline; what is sent within one turn of the event loop leaves in one write. */
  send(line: Line): void {
    const { writable } = this.#streams;
    if (this.#ended || this.#closing || !writable.writable) return;
    if (typeof line !== "string") return this.#sendLong(line);
    if (this.#batch === "") atTurnEnd(this.#flushBatch);
    this.#batch += ended(line);
    if (this.#batch.length >= FULL_BATCH_BYTES) this.#flush();
  }

  /** Sends what is queued, then ends this side's direction: for a pipe that has no other. */
  finish(): void {
    this.#flush();
    this.#streams.writable.end();
  }

  /**
   * Sends what is queued, then ends both directions. Never one alone: a pipe of Windows cannot, so
   * nobody may wait for what would come after that.
   */
  close(): void {
    if (this.#closing || this.#destroyed) return;
    this.#closing = true;
    this.#flush();
    const limit = setTimeout(() => this.destroy(), CLOSE_WITHIN_MS).unref();
    // Called when all that was written before has left, or never will.
    this.#streams.writable.write("", () => {
      clearTimeout(limit);
      this.destroy();
    });
  }

  /** Ends both directions now; what is queued is lost. */
  destroy(): void {
    this.#destroyed = true;
    this.dropUnfinished();
    this.#streams.writable.destroy();
    this.#streams.readable.destroy();
    this.#end(undefined);
  }

  #receive(chunk: Buffer): void {
    const before = this.#splitter.unfinishedBytes;
    this.#splitter.push(chunk);
    // What has come is of no use any more.
    if (this.#destroyed) return this.#splitter.dropUnfinished();
    const { unfinishedBytes } = this.#splitter;
    if (unfinishedBytes !== before) this.#events.onUnfinished?.(unfinishedBytes);
  }

  #sendLong({ pieces }: LongLine): void {
    this.#flush();
    const { writable } = this.#streams;
    writable.cork();
    for (const piece of [...pieces, NEWLINE]) writable.write(piece);
    writable.uncork();
  }

  #flush(): void {
    const { writable } = this.#streams;
    const batch = this.#batch;
    this.#batch = "";
    if (batch !== "" && writable.writable) writable.write(batch, "latin1");
  }

  #end(cause: Error | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#events.onEnd(cause);
  }
}

let latest: TextLine | undefined;
let latestEnded = "";

/** The line with its newline. Many hear the same one after another: it is put together once. */
function ended(line: TextLine): string {
  // A big one is not kept for the next, which may come in an hour.
  if (line.length > FULL_BATCH_BYTES) return `${line}\n`;
  if (line !== latest) {
    latest = line;
    latestEnded = `${line}\n`;
  }
  return latestEnded;
}
