/** Characters that have a meaning to some shell, or could hide something from a reader. */
const SPECIAL = /[;&|<>$`\\(){}!*?[\]~#^]|\p{Cc}/u;
const WORD = /(?:[\w@%+=:,./-]|'[^']*'|"[^"]*")+/gy;

/** The system's shells, as Codex names them: a model can name another, which could be anybody's program. */
const SYSTEM_SHELL = /^(?:\/(?:usr\/(?:local\/)?|opt\/homebrew\/)?bin\/)(?:ba|z|da|k)?sh$/;

/** Assignments, also where a quote makes a program of them; `=x` (zsh) and `%1` are other programs. */
const NO_PROGRAM = /^(?:[A-Za-z_]\w*\+?=|[=%-])/;

const KEYWORDS = new Set(
  (
    "if then elif else fi time for in until while do done case esac coproc select function " +
    "foreach end repeat nocorrect noglob"
  ).split(" "),
);

/**
 * The words of a command that is nothing but words: for Codex's `/bin/bash -lc 'npm test'` those of
 * `npm test`. A line with a character that is special to a shell anywhere in it, quoted or not, has
 * none; to be sure of the quoted ones, one would have to be that shell. Neither has a line whose first
 * word is no program to a shell.
 */
export function plainWords(command: string): readonly string[] | undefined {
  const words = split(command);
  if (words === undefined) return undefined;
  const [shell = "", option, script, ...more] = words;
  const isWrapped =
    isSystemShell(shell) && (option === "-c" || option === "-lc") && more.length === 0;
  const unwrapped = isWrapped && script !== undefined ? split(script) : words;
  return unwrapped !== undefined && faultOfWords(unwrapped) === undefined ? unwrapped : undefined;
}

/** Returns why no command can have these words as a program and its arguments, or undefined. */
export function faultOfWords(words: readonly string[]): string | undefined {
  const [program = ""] = words;
  const special = words.find((word) => SPECIAL.test(word) || word.startsWith("="));
  if (special !== undefined) {
    return `no command can match ${JSON.stringify(special)}: a character in it is special to a shell`;
  }
  if (/\s/.test(program)) {
    return `${JSON.stringify(program)} is one word: write each word as a string of its own`;
  }
  if (NO_PROGRAM.test(program) || KEYWORDS.has(program)) {
    return `a shell does not read ${JSON.stringify(program)} as a program`;
  }
  return undefined;
}

export function isSystemShell(program: string): boolean {
  return SYSTEM_SHELL.test(program);
}

function split(line: string): string[] | undefined {
  if (SPECIAL.test(line)) return undefined;
  const words: string[] = [];
  let at = skipSpaces(line, 0);
  while (at < line.length) {
    WORD.lastIndex = at;
    const [word] = WORD.exec(line) ?? [];
    if (word === undefined) return undefined;
    words.push(word.replace(/'([^']*)'|"([^"]*)"/g, (_all, single, double) => single ?? double));
    const end = at + word.length;
    at = skipSpaces(line, end);
    // Two words have a space between them: anything else there is no plain word.
    if (at === end && at < line.length) return undefined;
  }
  return words.length === 0 ? undefined : words;
}

function skipSpaces(line: string, from: number): number {
  let at = from;
  while (line[at] === " ") at += 1;
  return at;
}
