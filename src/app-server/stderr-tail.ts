import { StringDecoder } from "node:string_decoder";
import { stripVTControlCharacters } from "node:util";

const MAX_BYTES = 4096;
const MAX_LINES = 40;
const CUT_MARK = "…";

/** The last 4 KiB or 40 lines of what a program said on stderr, whichever is less, without colours. */
export class StderrTail {
  readonly #decoder = new StringDecoder("utf8");
  #lines: string[] = [];
  #unfinished = "";

  push(chunk: Buffer): void {
    const parts = (this.#unfinished + this.#decoder.write(chunk)).split("\n");
    const rest = parts.pop() ?? "";
    // Cut late and seldom, so that a control sequence is hardly ever cut in two.
    this.#unfinished = rest.length > 2 * MAX_BYTES ? rest.slice(-MAX_BYTES) : rest;
    this.#lines.push(...parts.map(clean).filter((line) => line !== ""));
    if (this.#lines.length > 2 * MAX_LINES) this.#lines = newest(this.#lines);
  }

  /** Whole lines, the newest last; only a line that is by itself too long lacks its beginning. */
  get text(): string {
    const rest = clean(this.#unfinished);
    return newest(rest === "" ? this.#lines : [...this.#lines, rest]).join("\n");
  }
}

function newest(lines: readonly string[]): string[] {
  let first = lines.length;
  for (let room = MAX_BYTES; first > 0 && lines.length - first < MAX_LINES; first -= 1) {
    room -= sizeOf(lines[first - 1] ?? "");
    if (room < 0) break;
  }
  return lines.slice(first);
}

/** Bytes of the line and its newline. */
function sizeOf(line: string): number {
  return Buffer.byteLength(line) + 1;
}

function clean(raw: string): string {
  const line = stripVTControlCharacters(raw).trimEnd();
  if (sizeOf(line) <= MAX_BYTES) return line;
  const room = MAX_BYTES - sizeOf(CUT_MARK);
  const end = Buffer.from(line).subarray(-room);
  // A cut through a character leaves continuation bytes (0b10xxxxxx) at the front.
  const start = end.findIndex((byte) => (byte & 0xc0) !== 0x80);
  return CUT_MARK + end.subarray(start).toString("utf8");
}
