import type { CompletableCommand, CompletableOption, Place } from "./completable.ts";

/** Also for the bash of macOS, which is of 2007: nothing in it is newer. */
export function bashCompletion(commands: readonly CompletableCommand[]): string {
  return `# bash completion for codex-broker: source <(codex-broker completion bash)
# Takes each line as it is: a name that is also a pattern is not expanded.
_codex_broker_lines() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do COMPREPLY+=("$line"); done
}

_codex_broker_words() {
  local IFS=$' \\t\\n'
  _codex_broker_lines < <(compgen -W "$1" -- "$cur")
}

_codex_broker_paths() {
  compopt -o filenames 2>/dev/null
  _codex_broker_lines < <(compgen "$1" -- "$cur")
}

_codex_broker() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} at
  COMPREPLY=()
  # bash makes words of their own of --name, = and value.
  if [ "$cur" = "=" ]; then
    cur=
  elif [ "$prev" = "=" ]; then
    prev=\${COMP_WORDS[COMP_CWORD-2]}
  fi
  if [ "$COMP_CWORD" -eq 1 ]; then
    _codex_broker_words "${[...commands.map(({ name }) => name), "--help", "--version"].join(" ")}"
    return
  fi
  for ((at = 2; at < COMP_CWORD; at++)); do
    case \${COMP_WORDS[at]} in
      --) return ;;
    esac
  done
  case "\${COMP_WORDS[1]} $prev" in
${commands.flatMap(valueCases).join("\n")}
  esac
  case "\${COMP_WORDS[1]} $cur" in
${commands
  .filter(({ options }) => options.length > 0)
  .map(optionCase)
  .join("\n")}
  esac
  case "\${COMP_WORDS[1]} $COMP_CWORD" in
${commands.flatMap(operandCases).join("\n")}
  esac
}

complete -F _codex_broker codex-broker
`;
}

function valueCases({ name, options }: CompletableCommand): string[] {
  return options.flatMap((option) => {
    if (option.value === undefined || option.value.optional) return [];
    const words = namesOf(option).map((each) => `"${name} ${each}"`);
    return [`    ${words.join(" | ")}) ${reply(option.value.place)}return ;;`];
  });
}

function optionCase({ name, options }: CompletableCommand): string {
  const words = options.flatMap(namesOf).join(" ");
  return `    "${name} -"*) _codex_broker_words "${words}"; return ;;`;
}

/** A word is told from its place: an option before it moves it, and then nothing is suggested. */
function operandCases({ name, operands }: CompletableCommand): string[] {
  return operands.flatMap(({ place }, index) =>
    place === "text" ? [] : [`    "${name} ${index + 2}") ${reply(place)}return ;;`],
  );
}

function namesOf({ long, short }: CompletableOption): string[] {
  return short === undefined ? [long] : [long, short];
}

function reply(place: Place): string {
  switch (place) {
    case "text":
      return "";
    case "file":
      return "_codex_broker_paths -f; ";
    case "directory":
      return "_codex_broker_paths -d; ";
    default:
      return `_codex_broker_words "${place.join(" ")}"; `;
  }
}
