/** A line of somebody else's text, shown to a person who has to decide about it. */
export interface Line {
  readonly text: string;
  readonly look?: "added" | "removed" | "aside";
}

/** What a person at a terminal is shown and asked. Every wait ends with its signal. */
export interface Dialogue {
  /** A heading of ours, and below it lines that stay. */
  show(heading: string, lines: readonly Line[]): void;
  /** One of these keys. @throws the signal's reason. */
  key(prompt: string, keys: readonly string[], signal: AbortSignal): Promise<string>;
  /** A typed line; undefined when it was given up with Esc. @throws the signal's reason. */
  line(prompt: string, secret: boolean, signal: AbortSignal): Promise<string | undefined>;
}
