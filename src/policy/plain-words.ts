/** What has a meaning to some shell, or could hide something from a reader. */
const SPECIAL = /[;&|<>$`\\(){}!*?[\]~#^]|\p{Cc}/u;
const WORD = /(?:[\w@%+=:,./-]|'[^']*'|"[^"]*")+/gy;

/** The system's shells, as Codex names them: a model can name another, which could be anybody's program. */
const SYSTEM_SHELL = /^(?:\/(?:usr\/(?:local\/)?|opt\/homebrew\/)?bin\/)(?:ba|z|da|k)?sh$/;

/**
 * The words of a command that is nothing but words: for Codex's `/bin/bash -lc 'npm test'` those of
 * `npm test`. A line with a character that is special to a shell anywhere in it, quoted or not, has
 * none; to be sure of the quoted ones, one would have to be that shell.
 */
export function plainWords(command: string): readonly string[] | undefined {
  const words = split(command);
  if (words === undefined) return undefined;
  const [shell = "", option, script, ...more] = words;
  const isWrapped =
    isSystemShell(shell) && (option === "-c" || option === "-lc") && more.length === 0;
  return isWrapped && script !== undefined ? split(script) : words;
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
