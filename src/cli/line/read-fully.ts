import { Command, CommanderError, Option } from "commander";
import { BrokerError } from "../../base/errors.ts";
import { shellWord } from "../../base/shell-word.ts";
import { BROKER_VERSION } from "../../base/version.ts";
import { out } from "../output/output.ts";
import { EXIT_MEANINGS } from "./exit-meanings.ts";
import { commandMeant, optionMeant } from "./habits.ts";
import type { Arguments, CommandSpec, Example, OptionSpec, OptionValue } from "./option-spec.ts";

export interface Reading {
  readonly command: string;
  readonly args: Arguments;
}

/**
 * Reads any command line, gives help where it is asked for, and says what is wrong where something is.
 *
 * @returns undefined when help was asked for, and has been given.
 * @throws BrokerError `usage`, with a suggestion where there is one.
 */
export function readFully(
  commands: readonly CommandSpec[],
  argv: readonly string[],
): Reading | undefined {
  const program = new Command("codex-broker")
    .description(
      "One codex app-server per workspace, shared safely by every program that wants it.",
    )
    .usage("<command> [options]")
    .version(BROKER_VERSION, "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand("help [command]", "print the help of a command")
    .addHelpText("after", PROGRAM_NOTES);
  configure(program);
  let reading: Reading | undefined;
  for (const spec of commands) {
    program.addCommand(commandOf(spec, (args) => (reading = { command: spec.name, args })));
  }
  const hint = hintFor(commands, argv);
  if (argv.length === 0) {
    program.outputHelp({ error: true });
    throw new BrokerError("usage", "A command is missing.", { hint });
  }
  requireOrder(commands, argv);
  requireHelpTopic(commands, argv, program);
  try {
    program.parse(withAttachedValues(commands, argv), { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return undefined;
    const message = error.message.split("\n", 1)[0] ?? "";
    const meant = meantInstead(commands, argv, error.code, message);
    throw new BrokerError("usage", asSentence(meant ?? error.message), { hint });
  }
  return reading;
}

/** Options stand behind the command, because each command has its own. */
function requireOrder(commands: readonly CommandSpec[], argv: readonly string[]): void {
  const [first = ""] = argv;
  if (!first.startsWith("-") || isProgramOption(first)) return;
  const command = argv.find((word) => commands.some(({ name }) => name === word));
  throw new BrokerError("usage", `The option ${quoted(first)} stands before the command.`, {
    hint: `Options follow the command: \`codex-broker ${command ?? "<command>"} ${shellWord(first)}\`; see \`codex-broker --help\`.`,
  });
}

function isProgramOption(word: string): boolean {
  return ["-h", "--help", "-V", "--version"].includes(word);
}

function requireHelpTopic(
  commands: readonly CommandSpec[],
  [word, topic]: readonly string[],
  program: Command,
): void {
  if (word !== "help" || topic === undefined || topic.startsWith("-") || topic === "help") return;
  if (commands.some(({ name }) => name === topic)) return;
  let message = `There is no command ${quoted(topic)}.`;
  const meant = commandMeant(topic);
  if (meant !== undefined) message += ` Did you mean ${meant}?`;
  else message += similarTo(program, topic);
  throw new BrokerError("usage", message, { hint: "See `codex-broker --help`." });
}

/** Returns commander's own suggestion for a word that is no command, or nothing. */
function similarTo(program: Command, word: string): string {
  try {
    program.parse([word], { from: "user" });
  } catch (error) {
    const suggestion = error instanceof CommanderError ? error.message.split("\n")[1] : undefined;
    if (suggestion !== undefined) return ` ${suggestion.replace(/^\(|\)$/g, "")}`;
  }
  return "";
}

/** Returns the first line of commander's message with what is meant by habit, where that is known. */
function meantInstead(
  commands: readonly CommandSpec[],
  [word = "", ...rest]: readonly string[],
  code: string,
  message: string,
): string | undefined {
  if (code === "commander.unknownCommand") {
    const meant = /\s/.test(word) ? 'run "…"' : commandMeant(word);
    return meant === undefined ? undefined : `${message}\n(Did you mean ${meant}?)`;
  }
  if (code !== "commander.unknownOption") return undefined;
  const spec = commands.find(({ name }) => name === word);
  const unknown = /'--?([^'=]*)/.exec(message)?.[1] ?? "";
  const has = (name: string): boolean => Object.hasOwn(spec?.options ?? {}, name);
  const meant = optionMeant(unknown, has);
  if (meant !== undefined) return `${message}\n(Did you mean --${meant}?)`;
  if (unknown !== "watch") return undefined;
  const again = ["codex-broker", word, ...rest.filter((each) => each !== "--watch")];
  return `${message}\n(\`watch ${again.map(shellWord).join(" ")}\` shows it again and again.)`;
}

function quoted(word: string): string {
  return JSON.stringify(word.length > 80 ? `${word.slice(0, 80)}…` : word);
}

function commandOf(spec: CommandSpec, onRead: (args: Arguments) => void): Command {
  const command = new Command(spec.name)
    .summary(spec.summary)
    .description(spec.about ?? `${spec.summary}.`)
    .helpOption("-h, --help", "print this help")
    .allowExcessArguments(false)
    .addHelpText("after", () => examplesText(spec.examples));
  for (const { name, help, required, many } of spec.operands) {
    const inside = many === true ? `${name}...` : name;
    command.argument(required === true ? `<${inside}>` : `[${inside}]`, help);
  }
  for (const [name, option] of Object.entries(spec.options)) {
    command.addOption(optionOf(name, option));
  }
  configure(command);
  return command.action(() => {
    const options: Record<string, OptionValue> = {};
    for (const [name, { valueLooksLike }] of Object.entries(spec.options)) {
      const value: unknown = command.getOptionValue(attributeOf(name));
      // An empty text stands for the optional value that was left out; see `withAttachedValues`.
      if (value === "" && valueLooksLike !== undefined) options[name] = true;
      else if (value === true || typeof value === "string") options[name] = value;
      else if (Array.isArray(value)) options[name] = value.map(String);
    }
    onRead({ options, operands: command.args });
  });
}

function optionOf(
  name: string,
  { short, value, valueLooksLike, choices, many, help }: OptionSpec,
): Option {
  const flags = short === undefined ? `--${name}` : `-${short}, --${name}`;
  if (value === undefined) return new Option(flags, help);
  const option = new Option(
    `${flags} ${valueLooksLike === undefined ? `<${value}>` : `[${value}]`}`,
    help,
  );
  if (many === true) {
    option.argParser((text: string, before: readonly string[] | undefined) => [
      ...(before ?? []),
      text,
    ]);
  }
  return choices === undefined ? option : option.choices(choices);
}

function attributeOf(name: string): string {
  return new Option(`--${name}`).attributeName();
}

/**
 * An optional value is attached to its option, because commander would take any next word for it:
 * in `run --resume "go on"` the words are a prompt.
 */
function withAttachedValues(commands: readonly CommandSpec[], argv: readonly string[]): string[] {
  const spec = commands.find(({ name }) => name === argv[0]);
  const end = argv.indexOf("--");
  const attached: string[] = [];
  for (let at = 0; at < argv.length; at += 1) {
    const arg = argv[at] ?? "";
    const pattern = arg.startsWith("--") ? spec?.options[arg.slice(2)]?.valueLooksLike : undefined;
    if (pattern === undefined || (end !== -1 && at > end)) attached.push(arg);
    else if (pattern.test(argv[at + 1] ?? "")) attached.push(`${arg}=${argv[(at += 1)] ?? ""}`);
    else attached.push(`${arg}=`);
  }
  return attached;
}

function configure(command: Command): void {
  const title = (text: string): string => out.paint("bold", text);
  command
    .exitOverride()
    .showSuggestionAfterError(true)
    .configureOutput({ writeOut: (text) => out.write(text), outputError: () => {} })
    .configureHelp({
      subcommandTerm: (sub) =>
        `${sub.name()} ${sub.registeredArguments.map(termOf).join(" ")}`.trim(),
      styleTitle: title,
      styleCommandText: (text) => out.paint("cyan", text),
      styleSubcommandTerm: (text) => out.paint("cyan", text),
      styleOptionTerm: (text) => out.paint("cyan", text),
    });
}

function termOf(operand: Command["registeredArguments"][number]): string {
  const inside = `${operand.name()}${operand.variadic ? "..." : ""}`;
  return operand.required ? `<${inside}>` : `[${inside}]`;
}

function examplesText(examples: readonly Example[]): string {
  const width = Math.max(...examples.map(({ line }) => line.length));
  const lines = examples.map(
    ({ line, does }) => `  ${line.padEnd(width)}  ${out.paint("dim", `# ${does}`)}`,
  );
  return ["", out.paint("bold", "Examples:"), ...lines].join("\n");
}

/** Commander says `error: unknown option '--jsn'` and, on a line of its own, `(Did you mean --json?)`. */
function asSentence(message: string): string {
  const [what = "", suggestion] = message.replace(/^error: /, "").split("\n");
  const sentence = `${what.charAt(0).toUpperCase()}${what.slice(1)}`.replace(/\.?$/, ".");
  return suggestion === undefined ? sentence : `${sentence} ${suggestion.replace(/^\(|\)$/g, "")}`;
}

function hintFor(commands: readonly CommandSpec[], argv: readonly string[]): string {
  const spec = commands.find(({ name }) => name === argv[0]);
  if (spec === undefined) return "See `codex-broker --help`.";
  const words = spec.operands.some(({ many }) => many === true)
    ? `; what follows \`--\` is never read as an option`
    : "";
  return `See \`codex-broker ${spec.name} --help\`${words}.`;
}

const PROGRAM_NOTES = `
Exit codes:
${EXIT_MEANINGS.map(([code, meaning]) => `  ${String(code).padEnd(3)}  ${meaning}`).join("\n")}

\`codex-broker <command> --help\` shows a command's options and examples.`;
