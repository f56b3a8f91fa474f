import type { CommandSpec, OptionSpec } from "../line/option-spec.ts";

/** What may stand in a place of the command line: one of these words, a path, or what only its author knows. */
export type Place = readonly string[] | "file" | "directory" | "text";

export interface CompletableOption {
  /** With its dashes. */
  readonly long: string;
  readonly short: string | undefined;
  readonly help: string;
  /** Undefined for a switch. */
  readonly value:
    | { readonly name: string; readonly place: Place; readonly optional: boolean }
    | undefined;
  readonly many: boolean;
}

export interface CompletableCommand {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly CompletableOption[];
  readonly operands: ReadonlyArray<{
    readonly name: string;
    readonly place: Place;
    readonly many: boolean;
  }>;
}

const HELP: CompletableOption = {
  long: "--help",
  short: "-h",
  help: "print this help",
  value: undefined,
  many: false,
};

/** The table of commands as a shell needs it, with what the parser adds to it: `help`, and `--help` everywhere. */
export function completable(commands: readonly CommandSpec[]): CompletableCommand[] {
  return [
    ...commands.map(({ name, summary, options, operands }) => ({
      name,
      summary,
      options: [...Object.entries(options).map(([long, spec]) => optionOf(long, spec)), HELP],
      operands: operands.map((operand) => ({
        name: operand.name,
        place: operand.choices ?? ("text" as const),
        many: operand.many === true,
      })),
    })),
    {
      name: "help",
      summary: "print the help of a command",
      options: [],
      operands: [{ name: "command", place: commands.map(({ name }) => name), many: false }],
    },
  ];
}

function optionOf(name: string, spec: OptionSpec): CompletableOption {
  const { short, value, valueLooksLike, choices, many, help } = spec;
  return {
    long: `--${name}`,
    short: short === undefined ? undefined : `-${short}`,
    help,
    value:
      value === undefined
        ? undefined
        : { name: value, place: choices ?? placeOf(value), optional: valueLooksLike !== undefined },
    many: many === true,
  };
}

/** A value's name in the help says what it is. */
function placeOf(value: string): Place {
  if (value === "DIR") return "directory";
  return value === "FILE" || value === "PATH" ? "file" : "text";
}
