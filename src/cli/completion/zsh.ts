import type { CompletableCommand, CompletableOption, Place } from "./completable.ts";

export function zshCompletion(commands: readonly CompletableCommand[]): string {
  return `#compdef codex-broker
# zsh completion for codex-broker: source <(codex-broker completion zsh), or as _codex-broker in a directory of $fpath
_codex_broker() {
  local curcontext=$curcontext state line
  local -a commands=(
${commands.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}`).join("\n")}
  )
  _arguments -C '(- *)'{-h,--help}'[print this help]' '(- *)'{-V,--version}'[print the version]' '1: :->command' '*:: :->rest'
  case $state in
    command) _describe -t commands 'codex-broker command' commands ;;
    rest)
      case $line[1] in
${commands.map(commandCase).join("\n")}
      esac
      ;;
  esac
}

if [ "$funcstack[1]" = "_codex_broker" ] || [ "$funcstack[1]" = "_codex-broker" ]; then
  _codex_broker "$@"
else
  compdef _codex_broker codex-broker
fi
`;
}

function commandCase({ name, options, operands }: CompletableCommand): string {
  const words = [
    ...options.map(optionWord),
    ...operands.map(({ name: operand, place, many }) =>
      quoted(`${many ? "*" : ""}:${escaped(operand)}:${action(place)}`),
    ),
  ];
  return `        ${name})\n          _arguments -S ${words.join(" \\\n            ")} ;;`;
}

function optionWord({ long, short, help, value, many }: CompletableOption): string {
  const about = `[${escaped(help)}]${value === undefined ? "" : valueOf(value)}`;
  const star = many ? "*" : "";
  const longName = value === undefined ? long : `${long}=${value.optional ? "-" : ""}`;
  if (short === undefined) return quoted(`${star}${longName}${about}`);
  const shortName = value === undefined ? short : `${short}+`;
  return `${quoted(`(${long} ${short})`)}{${shortName},${longName}}${quoted(about)}`;
}

function valueOf({ name, place, optional }: NonNullable<CompletableOption["value"]>): string {
  return `${optional ? "::" : ":"}${escaped(name)}:${action(place)}`;
}

function action(place: Place): string {
  switch (place) {
    case "text":
      // With a message instead of an empty list, zsh shows options but does not insert them.
      return "()";
    case "file":
      return "_files";
    case "directory":
      return "_files -/";
    default:
      return `(${place.join(" ")})`;
  }
}

/** What has a meaning within a word of `_arguments`. */
function escaped(text: string): string {
  return text.replaceAll(/[\\:[\]]/g, (sign) => `\\${sign}`);
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
