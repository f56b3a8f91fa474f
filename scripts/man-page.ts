import { commands } from "../src/cli/commands.ts";
import { EXIT_MEANINGS } from "../src/cli/line/exit-meanings.ts";
import type { CommandSpec, OperandSpec, OptionSpec } from "../src/cli/line/option-spec.ts";

/** The manual page, from the table of commands. */
export function manPageOf(version: string): string {
  const specs: readonly CommandSpec[] = commands;
  return `${[
    `.TH CODEX-BROKER 1 "" "codex-broker ${version}" "User Commands"`,
    ".SH NAME",
    "codex-broker \\- one codex app-server per workspace, shared safely by every program that wants it",
    ".SH SYNOPSIS",
    ".B codex-broker",
    ".I command",
    "[options]",
    ".br",
    ".B codex-broker help",
    "[command]",
    ".SH COMMANDS",
    ...specs.flatMap(commandLines),
    ".SH EXIT STATUS",
    ...EXIT_MEANINGS.flatMap(([code, meaning]) => [".TP", `.B ${code}`, text(meaning)]),
    ".SH SEE ALSO",
    "docs/cli.md of the package: what each command prints with \\-\\-json, and which environment variables count.",
  ].join("\n")}\n`;
}

function commandLines(spec: CommandSpec): string[] {
  const { name, summary, about, operands, options, examples } = spec;
  return [
    `.SS codex-broker ${text([name, ...operands.map(operandWord)].join(" "))}`,
    text(about ?? `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`),
    ...operands.flatMap((each) => [".TP", `.I ${text(each.name)}`, text(each.help)]),
    ...Object.entries(options).flatMap(([long, option]) => [
      ".TP",
      `.B ${text(flagsOf(long, option))}`,
      text(option.help),
    ]),
    ".PP",
    "Examples:",
    ...examples.flatMap(({ line, does }) => [".TP", `.B ${text(line)}`, text(does)]),
  ];
}

function operandWord({ name, required, many }: OperandSpec): string {
  const inside = many === true ? `${name}...` : name;
  return required === true ? inside : `[${inside}]`;
}

function flagsOf(name: string, { short, value, valueLooksLike, choices }: OptionSpec): string {
  const flags = short === undefined ? `--${name}` : `-${short}, --${name}`;
  if (value === undefined) return flags;
  const shown = choices === undefined ? value : choices.join("|");
  return `${flags} ${valueLooksLike === undefined ? shown : `[${shown}]`}`;
}

/** As one line of text: nothing in it is a request to the formatter. */
function text(plain: string): string {
  const line = plain
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll(`"`, "\\(dq")
    .replaceAll("…", "...");
  return /^[.']/.test(line) ? `\\&${line}` : line;
}
