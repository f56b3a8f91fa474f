interface Symbols {
  readonly spinner: readonly string[];
  readonly ok: string;
  readonly failed: string;
  readonly declined: string;
  readonly bar: string;
  readonly warning: string;
  readonly note: string;
}

const DRAWN: Symbols = {
  spinner: "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏".split(""),
  ok: "✓",
  failed: "✗",
  declined: "⊘",
  bar: "│",
  warning: "▲",
  note: "•",
};

/** The Linux console has no glyphs for the others. */
const PLAIN: Symbols = {
  spinner: "|/-\\".split(""),
  ok: "+",
  failed: "x",
  declined: "-",
  bar: "|",
  warning: "!",
  note: "*",
};

export const symbols: Symbols = process.env["TERM"] === "linux" ? PLAIN : DRAWN;
