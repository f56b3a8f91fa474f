import type { CompletableCommand, CompletableOption, Place } from "./completable.ts";

export function fishCompletion(commands: readonly CompletableCommand[]): string {
  return `# fish completion for codex-broker: codex-broker completion fish | source
function __codex_broker_command
  set -l words (commandline -opc)
  if test (count $argv) -eq 0
    test (count $words) -eq 1
  else
    test (count $words) -ge 2; and test "$words[2]" = "$argv[1]"
  end
end

complete -c codex-broker -f
complete -c codex-broker -n __codex_broker_command -s h -l help -d 'print this help'
complete -c codex-broker -n __codex_broker_command -s V -l version -d 'print the version'
${commands.flatMap(linesOf).join("\n")}
`;
}

function linesOf({ name, summary, options, operands }: CompletableCommand): string[] {
  const within = `complete -c codex-broker -n '__codex_broker_command ${name}'`;
  return [
    `complete -c codex-broker -n __codex_broker_command -a ${name} -d ${quoted(summary)}`,
    ...options.map((option) => `${within}${optionWords(option)} -d ${quoted(option.help)}`),
    ...operands.flatMap(({ place }) =>
      typeof place === "string" ? [] : [`${within} -a ${quoted(place.join(" "))}`],
    ),
  ];
}

function optionWords({ long, short, value }: CompletableOption): string {
  const names = `${short === undefined ? "" : ` -s ${short.slice(1)}`} -l ${long.slice(2)}`;
  return value === undefined || value.optional ? names : `${names}${valueWords(value.place)}`;
}

function valueWords(place: Place): string {
  switch (place) {
    case "text":
      return " -x";
    case "file":
      return " -r -F";
    case "directory":
      return " -x -a '(__fish_complete_directories)'";
    default:
      return ` -x -a ${quoted(place.join(" "))}`;
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll(/[\\']/g, (sign) => `\\${sign}`)}'`;
}
