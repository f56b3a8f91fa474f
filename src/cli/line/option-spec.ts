/** One option of a command, as data: the readers, the help and the documentation all go by it. */
export interface OptionSpec {
  /** A single letter that stands for it. */
  readonly short?: string;
  /** How its value is called in the help. Without one, the option is a switch. */
  readonly value?: string;
  /** The value may be left out: it is taken for this option's only if it looks like one. */
  readonly valueLooksLike?: RegExp;
  readonly choices?: readonly string[];
  /** May be given more than once, each time with another value. */
  readonly many?: true;
  readonly help: string;
}

/** By their long names, without the dashes. */
export type Options = Readonly<Record<string, OptionSpec>>;

export interface OperandSpec {
  readonly name: string;
  readonly help: string;
  readonly required?: true;
  /** Takes all that are left. */
  readonly many?: true;
  /** The only words that make sense there. */
  readonly choices?: readonly string[];
}

export interface Example {
  readonly line: string;
  readonly does: string;
}

/** The face of one command. Its program is loaded only when it runs. */
export interface CommandSpec<O extends Options = Options> {
  readonly name: string;
  /** One line, for the list of commands. */
  readonly summary: string;
  /** More, for the command's own help. */
  readonly about?: string;
  readonly operands: readonly OperandSpec[];
  readonly options: O;
  readonly examples: readonly Example[];
}

/** An option's value: its text or texts, or true for a switch and for an optional value that was left out. */
export type OptionValue = string | true | readonly string[];

/** What stood on the command line, sorted but not yet checked. */
export interface Arguments {
  readonly options: Readonly<Record<string, OptionValue>>;
  readonly operands: readonly string[];
}
