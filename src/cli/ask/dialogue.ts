/** A line of text from outside, shown to a person who has to decide about it. */
export interface Line {
  readonly text: string;
  readonly look?: "added" | "removed" | "aside";
}

/** What an MCP server or the model wrote about a request. It proves nothing, so it is cut and labelled. */
export interface Claim {
  readonly label: string;
  readonly text: string;
}

/** One screen of a question, from top to bottom. The heading is this program's own text. */
export interface Page {
  readonly claims: readonly Claim[];
  /** Rows of text from outside. */
  readonly details: readonly Line[];
  readonly heading: string;
  /** What the heading is about: directly above the keys. */
  readonly summary: readonly Line[];
  /** How much of the details is not on this page; empty when there is no more. */
  readonly more: string;
}

/** Columns and rows that a page may take. */
export interface PageSize {
  readonly columns: number;
  readonly rows: number;
}

/** The screen was given another size while a question was on it: the page has to be laid out again. */
export const RESIZED = Symbol("resized");

/** Shows a person what has to be decided, and reads the answer. Every wait ends with its signal. */
export interface Dialogue {
  /** The size of the screen, less what frames a row. */
  readonly size: PageSize;
  /** Shows a page. Nothing else is printed until `done`. */
  show(page: Page): void;
  /** Reads one of these keys. @throws the signal's reason. */
  key(
    prompt: string,
    keys: readonly string[],
    signal: AbortSignal,
  ): Promise<string | typeof RESIZED>;
  /** Reads a typed line; undefined when Esc ended it. @throws the signal's reason. */
  line(prompt: string, secret: boolean, signal: AbortSignal): Promise<string | undefined>;
  /** The question is over: what waited to be printed is printed now. */
  done(): void;
}
