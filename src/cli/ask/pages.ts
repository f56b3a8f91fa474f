import { counted } from "../output/amounts.ts";
import { printable } from "../output/printable.ts";
import { rowsOf, truncate } from "../output/width.ts";
import type { Claim, Line, Page, PageSize } from "./dialogue.ts";

/** What is laid out: see `Card`. */
export interface PageContent {
  readonly heading: string;
  readonly claims: readonly Claim[];
  readonly summary: readonly Line[];
  readonly details: readonly Line[];
}

/** A page never has fewer rows of details, whatever the screen. */
const MIN_DETAIL_ROWS = 3;
/** Of the first line of a summary that does not fit; of the others one. The details have the whole lines. */
const SHORTENED_ROWS = 2;
/** The heading, and the row that says how much more there is. */
const FIXED_ROWS = 2;
/** A run of more spaces than this is shown as their number: it only pushes text off the screen. */
const MAX_SPACES = 16;

/**
 * Lays out a question on the rows of the screen (F166). The heading and the summary stand below the
 * details on every page, so that nothing that a model wrote can come between them and the keys. A
 * summary of more than half a screen is shortened, and its whole text is in the details of the pages
 * before.
 *
 * @param promptRows How many rows the keys take.
 * @returns pages, of which only the last one has an empty `more`. They are laid out as they are asked for.
 */
export function* layOut(
  content: PageContent,
  size: PageSize,
  promptRows: number,
): Generator<Page, void> {
  const { heading, claims } = content;
  const columns = Math.max(1, size.columns);
  const room = size.rows - FIXED_ROWS - promptRows;
  const whole = takeRows(content.summary, columns, Math.max(1, Math.floor(room / 2)));
  const summary =
    whole ??
    content.summary.flatMap((line, index) =>
      shortened(line, columns, index === 0 ? SHORTENED_ROWS : 1),
    );
  const details = whole === undefined ? [...content.summary, ...content.details] : content.details;
  const shownClaims = claims.map(({ label, text }) => ({ label, text: oneRow(text) }));
  let rows = Math.max(MIN_DETAIL_ROWS, room - summary.length - shownClaims.length);
  const pending = new PendingRows(details, columns);
  let page: Page = {
    claims: shownClaims,
    details: pending.take(rows),
    heading,
    summary,
    more: pending.more(),
  };
  rows = Math.max(MIN_DETAIL_ROWS, room - summary.length);
  while (page.more !== "") {
    yield page;
    page = { claims: [], details: pending.take(rows), heading, summary, more: pending.more() };
  }
  yield page;
}

/** Returns the last page at once, for what may be answered without reading it all. */
export function lastOf(pages: Iterable<Page>): Page | undefined {
  let last: Page | undefined;
  for (const page of pages) last = page;
  return last;
}

/** The rows of lines, one page after the other. */
class PendingRows {
  readonly #lines: readonly Line[];
  readonly #columns: number;
  readonly #rows: Generator<Line, void>;
  #next: IteratorResult<Line, void>;
  #taken = 0;

  constructor(lines: readonly Line[], columns: number) {
    this.#lines = lines;
    this.#columns = columns;
    this.#rows = rowsOfLines(lines, columns);
    this.#next = this.#rows.next();
  }

  take(count: number): readonly Line[] {
    const rows: Line[] = [];
    while (rows.length < count && this.#next.done !== true) {
      rows.push(this.#next.value);
      this.#next = this.#rows.next();
    }
    this.#taken += rows.length;
    return rows;
  }

  /** Says how many rows are left. The number is an estimate: to know it, all would have to be laid out. */
  more(): string {
    if (this.#next.done === true) return "";
    const all = this.#lines.reduce((sum, { text }) => sum + rowCount(text, this.#columns), 0);
    return `about ${counted(Math.max(1, all - this.#taken), "more row")}`;
  }
}

/** Returns about how many rows a text takes, in one pass without laying it out. */
function rowCount(text: string, columns: number): number {
  let count = 0;
  for (let start = 0; start <= text.length;) {
    const found = text.indexOf("\n", start);
    const end = found === -1 ? text.length : found;
    count += Math.max(1, Math.ceil((end - start) / columns));
    start = end + 1;
  }
  return count;
}

/** Returns the rows of all lines, or undefined when they are more than that. */
function takeRows(
  lines: readonly Line[],
  columns: number,
  most: number,
): readonly Line[] | undefined {
  const rows: Line[] = [];
  for (const row of rowsOfLines(lines, columns)) {
    if (rows.length === most) return undefined;
    rows.push(row);
  }
  return rows;
}

function* rowsOfLines(lines: readonly Line[], columns: number): Generator<Line, void> {
  for (const { text, look } of lines) {
    for (const piece of piecesOf(text)) {
      for (const row of rowsOf(shown(piece), columns)) {
        yield look === undefined ? { text: row } : { text: row, look };
      }
    }
  }
}

/** Returns the first rows of a line, with a mark where more is left out. */
function shortened(line: Line, columns: number, most: number): readonly Line[] {
  const rows: Line[] = [];
  for (const row of rowsOfLines([line], Math.max(1, columns - CONTINUED.length))) {
    const last = rows.at(-1);
    if (rows.length === most && last !== undefined) {
      rows[most - 1] = { ...last, text: `${last.text}${CONTINUED}` };
      break;
    }
    rows.push(row);
  }
  return rows;
}

const CONTINUED = " … whole above";

/** A line of megabytes is made harmless as far as it is shown. */
const PIECE_CHARACTERS = 8_192;
const PIECE = new RegExp(`[^]{1,${PIECE_CHARACTERS}}`, "gu");

function* piecesOf(text: string): Generator<string, void> {
  if (text.length <= PIECE_CHARACTERS) return yield text;
  for (const [piece] of text.matchAll(PIECE)) yield piece;
}

/** Makes text harmless for the screen. */
function shown(text: string): string {
  return printable(text.replaceAll("\t", "  ")).replace(
    LONG_RUN,
    (run) => `⟨${run.length} spaces⟩`,
  );
}

const LONG_RUN = new RegExp(`[^\\S\\n]{${MAX_SPACES + 1},}`, "gu");

function oneRow(text: string): string {
  return printable(text.slice(0, MAX_CLAIM_CHARACTERS).replace(/\s+/g, " ").trim());
}

/** More than one row of any screen. */
const MAX_CLAIM_CHARACTERS = 1_000;

/** Returns a claim as one row, with its label. */
export function claimRow({ label, text }: Claim, columns: number): string {
  return truncate(`${label}: ${text}`, columns);
}
