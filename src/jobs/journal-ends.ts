import { open, type FileHandle } from "node:fs/promises";
import { beginsJournal, decodeEntry, type JobEntry } from "./job-entry.ts";

const WINDOW_BYTES = 8 * 1024;
/** A window that holds no whole entry is read again with so many times its size. */
const GROWTH = 4;
/** The first entries are `created` and `started`, the last ones `usage` and `ended`. */
const ENTRIES_AT_EACH_END = 2;
const LINE_FEED = 0x0a;

export interface JournalEnds {
  /** The first entries and the last ones; all of them where the journal is short. */
  readonly entries: readonly JobEntry[];
  /** Whether the first line begins as a journal of any version does. */
  readonly begun: boolean;
}

/**
 * Reads both ends of a journal, so that the cost does not grow with the turn. A writer may have been
 * killed in the middle of a line, so text without a line feed does not count.
 *
 * @throws the system error.
 */
export async function readEnds(path: string): Promise<JournalEnds> {
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    const head = await readHead(file, size);
    const tail = await readTail(file, size, head.end);
    const entries = [...head.lines, ...tail].flatMap((line) => decodeEntry(line) ?? []);
    return { entries, begun: beginsJournal(head.lines[0] ?? "") };
  } finally {
    await file.close();
  }
}

async function readHead(
  file: FileHandle,
  size: number,
): Promise<{ readonly lines: readonly string[]; readonly end: number }> {
  for (let bytes = WINDOW_BYTES; ; bytes *= GROWTH) {
    const read = await readRange(file, 0, Math.min(bytes, size));
    const { lines, end } = wholeLines(read, ENTRIES_AT_EACH_END);
    if (lines.length === ENTRIES_AT_EACH_END || bytes >= size) return { lines, end };
  }
}

/** Reads backwards from the end, but not beyond `from`. */
async function readTail(file: FileHandle, size: number, from: number): Promise<readonly string[]> {
  for (let bytes = WINDOW_BYTES; ; bytes *= GROWTH) {
    const start = Math.max(from, size - bytes);
    const read = await readRange(file, start, size);
    // The window may begin in the middle of a line.
    const first = start === from ? 0 : read.indexOf(LINE_FEED) + 1;
    const { lines } = wholeLines(read.subarray(first), Number.POSITIVE_INFINITY);
    if (start === from || hasEnough(lines)) return lines;
  }
}

function hasEnough(lines: readonly string[]): boolean {
  let found = 0;
  for (const line of lines.toReversed()) {
    if (decodeEntry(line) !== undefined) found += 1;
    if (found === ENTRIES_AT_EACH_END) return true;
  }
  return false;
}

/** The lines that end with a line feed, and where the last of them ends. */
function wholeLines(
  bytes: Buffer,
  most: number,
): { readonly lines: readonly string[]; readonly end: number } {
  const lines: string[] = [];
  let end = 0;
  for (let feed = bytes.indexOf(LINE_FEED); feed !== -1; feed = bytes.indexOf(LINE_FEED, end)) {
    lines.push(bytes.toString("utf8", end, feed));
    end = feed + 1;
    if (lines.length === most) break;
  }
  return { lines, end };
}

async function readRange(file: FileHandle, start: number, end: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(Math.max(0, end - start));
  let at = 0;
  while (at < bytes.length) {
    const { bytesRead } = await file.read(bytes, at, bytes.length - at, start + at);
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  return bytes.subarray(0, at);
}
